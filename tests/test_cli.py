"""`lmnb VERB`, as it is typed in a shell: what goes where, and which status it leaves."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lmnb.cli import table
from lmnb.notebook.verbs.verb import Verb
from tests.hub import StandInHub, running_hub
from tests.hub.models import TINY, default_repositories, write_files
from tests.server.spawn import Server, environment, jupyter_server, lmnb_serve

DOCS = Path(__file__).parents[1] / "docs" / "cli.md"
MODEL = "smollm2-135m-instruct"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandInHub]:
    files = write_files(tmp_path_factory.mktemp("hub"))
    with running_hub(*default_repositories(files)) as hub:
        yield hub


@pytest.fixture(scope="module")
def server(folder: Path, smollm2: Path, hub: StandInHub) -> Iterator[Server]:
    options = ("--models", str(smollm2), "--slots", "2")
    with lmnb_serve(folder, *options, HF_ENDPOINT=hub.url) as server:
        yield server


@pytest.fixture
def lmnb(server: Server, folder: Path) -> Any:
    def run(*words: str, input: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        return lmnb_command(folder, *words, input=input, **env)

    return run


def lmnb_command(
    folder: Path, *words: str, input: str = "", **env: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lmnb", *words],
        env=environment(folder, **env),
        input=input,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_tables_go_to_standard_output_and_remarks_beside_it(lmnb: Any) -> None:
    listed = lmnb("ls")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert re.search(rf"^{MODEL}\s+135M\s+llama", listed.stdout, re.MULTILINE)
    nothing = lmnb("ps")
    assert (nothing.returncode, nothing.stdout) == (0, "")
    assert "`lmnb load NAME`" in nothing.stderr


def test_json_is_nothing_but_json(lmnb: Any, server: Server) -> None:
    assert [model["key"] for model in json.loads(lmnb("ls", "--json").stdout)] == [MODEL]
    state = json.loads(lmnb("server", "status", "--json").stdout)
    assert (state["running"], state["base_url"]) == (True, server.url)
    assert json.loads(lmnb("version", "--json").stdout).keys() == {"version"}


def test_load_ps_unload(lmnb: Any) -> None:
    loaded = lmnb("load", MODEL, "-c", "512", "--identifier", "mine", "--ttl", "600", "-y")
    assert loaded.returncode == 0, loaded.stderr
    assert "mine is loaded" in loaded.stderr
    row = lmnb("ps").stdout.splitlines()[1]
    assert re.match(rf"mine\s+{MODEL}\s+IDLE\s.*\s512\s.*m / 10m$", row)
    assert lmnb("unload", "mine").returncode == 0
    assert lmnb("unload").returncode == 1, "nothing is loaded"
    assert lmnb("unload", "--all").returncode == 0


def test_search_get_and_rm(lmnb: Any, hub: StandInHub) -> None:
    """From the Hub to this disk, and off it again."""
    assert re.search(rf"^{TINY} .*Q4_K_M", lmnb("search", "tiny llama").stdout, re.MULTILINE)
    got = lmnb("get", TINY, "--quant", "Q8_0")
    assert got.returncode == 0, got.stderr
    assert f"{TINY}@q8_0 is downloaded" in got.stderr
    name = re.search(r"`lmnb load (\S+)`", got.stderr)
    assert name is not None
    assert "already" in lmnb("get", TINY, "--quant", "Q8_0").stderr
    assert json.loads(lmnb("downloads", "--json").stdout)[0]["status"] == "completed"
    assert lmnb("load", name[1], "-c", "64").returncode == 0, "by the name that it was told"
    assert lmnb("rm", name[1], "-y").returncode == 1, "it is loaded"
    assert "are free again" in lmnb("rm", name[1], "-y", "--force").stderr
    assert TINY.lower() not in lmnb("ls").stdout.lower()


def test_a_model_that_nobody_has_is_a_failure_that_says_so(lmnb: Any) -> None:
    missing = lmnb("get", "no-such-model-anywhere")
    assert missing.returncode == 1
    assert "no-such-model-anywhere" in missing.stderr


def test_a_question_from_the_command_line_and_from_a_pipe(lmnb: Any) -> None:
    """The answer alone goes to standard output."""
    asked = lmnb("chat", MODEL, "-p", "Say hello.", "--stats", "--max-tokens", "9", "-t", "0")
    assert asked.returncode == 0, asked.stderr
    assert asked.stdout.strip() and "tokens per second" not in asked.stdout
    assert "tokens per second" in asked.stderr
    piped = lmnb("chat", "--max-tokens", "9", "-t", "0", input="Say hello.")
    assert piped.returncode == 0 and piped.stdout.strip()
    silent = lmnb("chat")
    assert (silent.returncode, silent.stdout) == (0, "")
    assert "No prompt provided" in silent.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="pexpect needs a Unix terminal")
def test_a_conversation_at_a_terminal(server: Server, folder: Path) -> None:
    pexpect = pytest.importorskip("pexpect")
    words = ["-m", "lmnb", "chat", MODEL, "--max-tokens", "8"]
    child = pexpect.spawn(
        sys.executable, words, env=environment(folder, TERM="dumb"), encoding="utf-8", timeout=60
    )
    child.expect("/help lists what else can be said")
    child.expect("> ")
    child.sendline("Hello.")
    child.expect("tokens/s")
    child.expect("> ")
    child.sendline("/clear")
    child.expect("1 turn forgotten")
    child.expect("> ")
    child.sendline("/exit")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_statuses_tell_mistakes_from_failures(lmnb: Any) -> None:
    for words, status in (
        (("ls", "--wrong"), 2),
        (("lod",), 2),
        (("load",), 2),
        ((), 2),
        (("info", "nothing"), 1),
        (("rm", MODEL), 1),  # nobody to ask
        (("load", "--help"), 0),
        (("help",), 0),
        (("--version",), 0),
    ):
        ran = lmnb(*words)
        assert ran.returncode == status, words
        assert "Traceback" not in ran.stderr
    assert lmnb("lod").stderr == "lmnb: lmnb has no verb 'lod'. Did you mean `lmnb load`?\n"


def test_what_a_code_page_does_not_have_is_no_complaint(lmnb: Any) -> None:
    ran = lmnb("ls", PYTHONIOENCODING="ascii")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "smollm2" in ran.stdout


def test_a_closed_pipe_is_no_complaint(server: Server, folder: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "lmnb", "ls", "--json"]
    ran = subprocess.run(
        command, env=environment(folder), stdout=write, stderr=subprocess.PIPE, timeout=60
    )
    os.close(write)
    assert (ran.returncode, ran.stderr) == (141, b"")


def test_the_log_is_followed_until_an_interrupt(lmnb: Any, folder: Path) -> None:
    command = [sys.executable, "-m", "lmnb", "log", "stream", "--source", "server", "--json"]
    with subprocess.Popen(
        command, env=environment(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stderr.readline() == "Streaming logs. Interrupt to stop.\n"
        lines: list[str] = []
        read = process.stdout.readline
        reader = threading.Thread(target=lambda: lines.append(read()))
        reader.start()
        while reader.is_alive():
            lmnb("ps")  # it may not have listened yet when the last one came
        assert json.loads(lines[0])["data"]["caller"] == "server key"
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


def test_an_interrupt_has_a_status_of_its_own(lmnb: Any, folder: Path) -> None:
    command = [sys.executable, "-m", "lmnb", "chat", MODEL, "-p", "Count to ten thousand."]
    command += [f"--logit-bias={end}:-100" for end in (0, 2, 4)]  # it does not end by itself
    with subprocess.Popen(
        command, env=environment(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.read(1)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert b"Traceback" not in process.stderr.read()


def test_a_key_opens_what_it_was_made_for(lmnb: Any, server: Server) -> None:
    made = lmnb("key", "create", "reader")
    assert made.returncode == 0
    key = made.stdout.strip()
    assert re.fullmatch(r"sk-lm-\w{8}:\w{20}", key)
    there = {"LMNB_API_KEY": key}
    assert lmnb("ls", "--host", server.url, **there).returncode == 0
    refused = lmnb("load", MODEL, "--host", server.url, **there)
    assert refused.returncode == 1
    assert "'manage'" in refused.stderr
    assert lmnb("key", "rm", key[6:14]).returncode == 0
    assert lmnb("key", "rm", key[6:14]).returncode == 1


def test_tab_knows_verbs_flags_and_models(lmnb: Any) -> None:
    def offered(*words: str) -> list[str]:
        return lmnb("__complete", *words).stdout.split()

    assert offered("server", "st") == ["start", "status", "stop"]
    assert offered("load", "sm") == [MODEL]
    assert "--context-length" in offered("load", MODEL, "--con")
    assert offered("l") == ["load", "log", "ls"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str, tmp_path: Path) -> None:
    script = lmnb_command(tmp_path, "completion", shell)
    assert script.returncode == 0
    assert "lmnb __complete" in script.stdout
    if shell == "bash":
        check = subprocess.run(["bash", "-n"], input=script.stdout, text=True, timeout=10)
        assert check.returncode == 0


def test_without_a_server_it_says_how_to_start_one(tmp_path: Path) -> None:
    ran = lmnb_command(tmp_path, "ls")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "`lmnb serve` starts one" in ran.stderr
    refused = lmnb_command(tmp_path, "ls", "--host", "127.0.0.1:1")
    assert "No lmnb server answers at http://127.0.0.1:1/" in refused.stderr


def test_a_notebook_server_is_found_too(tmp_path: Path) -> None:
    with jupyter_server(tmp_path, "--IdentityProvider.token=secret"):
        state = json.loads(lmnb_command(tmp_path, "server", "status", "--json").stdout)
        assert state["lmnb_url"].endswith("/base/lmnb/v1")
        started = lmnb_command(tmp_path, "server", "start", "--port", "0", "--json")
        port = json.loads(started.stdout)["port"]
        here = lmnb_command(tmp_path, "ls", "--host", f"127.0.0.1:{port}")
        assert here.returncode == 0, here.stderr
        assert lmnb_command(tmp_path, "server", "stop").returncode == 0
        again = lmnb_command(tmp_path, "server", "stop")
        assert again.returncode == 1
        assert "not running" in again.stderr


# -- the documentation


def documented(verbs: dict[str, Verb]) -> str:
    """The reference in docs/cli.md, from the table."""
    lines = ["| verb | what it does |", "|---|---|"]
    lines += [f"| `{name}` | {verb.summary} |" for name, verb in verbs.items()]
    for name, verb in verbs.items():
        lines += ["", f"### `{name}`", "", verb.summary, ""]
        options = [(_usage(option), option.settings.get("help", "")) for option in verb.options]
        lines += [f"- {usage}: {help}" for usage, help in options]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _usage(option: Any) -> str:
    settings = option.settings
    value = settings.get("metavar") or "|".join(map(str, settings.get("choices", ())))
    takes_one = settings.get("action", "append") == "append"
    flags = ", ".join(option.flags) if option.is_flag else option.flags[0].upper()
    return f"`{flags}{' ' + value if value and takes_one and option.is_flag else ''}`"


def test_the_reference_is_the_table() -> None:
    """`LMNB_WRITE_DOCS=1 pytest tests/test_cli.py -k reference` writes it anew."""
    text = DOCS.read_text()
    head, mark, reference = text.partition("## Reference\n\n")
    if os.environ.get("LMNB_WRITE_DOCS"):
        reference = documented(table())
        DOCS.write_text(head + mark + reference)
    assert reference == documented(table()), "LMNB_WRITE_DOCS=1 writes it anew"
