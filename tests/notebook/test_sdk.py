"""A bare `OpenAI()` finds the server; what the user had set stays as it was."""

from lmnb.notebook.connection.address import Connection
from lmnb.notebook.connection.sdk import OpenAIEnvironment

HERE = Connection("http://127.0.0.1:8888/lmnb/", "key", "notebook server")
AWAY = Connection("https://hub.example.org/user/ada/lmnb/", "key", "LMNB_BASE_URL")


def test_both_variables_are_set_and_taken_back() -> None:
    environ = {"HOME": "/"}
    changes = OpenAIEnvironment(environ)
    assert changes.point_to(HERE)
    assert environ["OPENAI_BASE_URL"] == "http://127.0.0.1:8888/lmnb/v1"
    assert environ["OPENAI_API_KEY"] == "key"
    assert changes.point_to(AWAY)  # our own values are no word of the user's
    assert environ["OPENAI_BASE_URL"].startswith("https://hub.example.org")
    changes.restore()
    assert environ == {"HOME": "/"}


def test_either_variable_of_the_users_keeps_both() -> None:
    """Their key must not come to our server, nor our address under their key."""
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY"):
        environ = {name: "theirs"}
        assert not OpenAIEnvironment(environ).point_to(HERE)
        assert environ == {name: "theirs"}


def test_what_the_user_changed_meanwhile_is_not_taken_back() -> None:
    environ: dict[str, str] = {}
    changes = OpenAIEnvironment(environ)
    changes.point_to(HERE)
    environ["OPENAI_API_KEY"] = "sk-new"
    changes.restore()
    assert environ == {"OPENAI_API_KEY": "sk-new"}


def test_a_proxy_is_bypassed_for_this_machine_only() -> None:
    environ = {"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "intern"}
    changes = OpenAIEnvironment(environ)
    changes.point_to(HERE)
    assert environ["NO_PROXY"] == "intern,127.0.0.1"
    changes.point_to(AWAY)
    assert environ["NO_PROXY"] == "intern"
    changes.restore()
    assert environ == {"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "intern"}
