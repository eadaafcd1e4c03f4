"""`%lms` and `%%lms` in a real kernel, against the contract's stub."""

import subprocess
import sys
import time

import pytest

from tests.notebook.kernels import ROOT, Kernel
from tests.notebook.stub_server import KEY, StubServer, model


def test_an_answer_is_saved_as_markdown_with_a_line_of_facts(
    kernel: Kernel, stub: StubServer
) -> None:
    ran = kernel.run("%%lms\nHello?")
    assert ran.status == "ok"
    assert len(ran.outputs) == 1  # displayed once
    facts = "50 tokens/s · first token 0.12 s · context 12 / 4,096 · tiny"
    assert ran.text("text/markdown") == f"Hello there.\n\n<sub>{facts}</sub>"
    assert ran.text() == f"Hello there.\n\n[{facts}]"


def test_the_conversation_continues_until_reset(kernel: Kernel, stub: StubServer) -> None:
    kernel.run("%%lms -s 'Be kind.'\nfirst")
    kernel.run("%%lms --no-history\naside")
    kernel.run("%%lms\nsecond")
    kernel.run("%lms reset")
    kernel.run("%%lms\nthird")
    talks = [[m["content"] for m in body["messages"]] for body in stub.bodies]
    assert talks == [
        ["Be kind.", "first"],
        ["aside"],
        ["Be kind.", "first", "Hello there.", "second"],
        ["third"],
    ]


def test_the_answer_is_in_underscore_and_in_the_variable_asked_for(kernel: Kernel) -> None:
    kernel.run("%%lms --out answer\nhi")
    assert kernel.run("print(_.text, _.usage['total_tokens'])").stream() == "Hello there. 12\n"
    assert kernel.value("answer.upper()") == "HELLO THERE."
    assert kernel.run("answer").text("text/markdown").startswith("Hello there.\n")


def test_values_go_in_and_json_stays(kernel: Kernel, stub: StubServer) -> None:
    kernel.run("animal = 'lynx'\nspec = 'tiny'")
    kernel.run(
        '%%lms -m {spec} -s "About a {animal}"\n{animal}: {"a": {"b": 1}} {} {nothing} $HOME'
    )
    assert stub.prompts == ['lynx: {"a": {"b": 1}} {} {nothing} $HOME']
    assert stub.bodies[0]["messages"][0]["content"] == "About a lynx"
    assert stub.bodies[0]["model"] == "tiny"
    kernel.run("%%lms --raw\n{animal}")
    assert stub.prompts[-1] == "{animal}"


def test_an_expression_that_raises_fails_the_cell_and_sends_nothing(
    kernel: Kernel, stub: StubServer
) -> None:
    ran = kernel.run("d = {}\n")
    ran = kernel.run("%%lms\n{d['x']}")
    assert ran.status == "error"
    assert "KeyError" in ran.stream("stderr")
    assert not stub.bodies


def test_sampling_options_reach_the_server(kernel: Kernel, stub: StubServer) -> None:
    kernel.run("%config LMSMagics.temperature = 0.5\n%config LMSMagics.max_tokens = 9")
    kernel.run("%%lms -t 0 --seed 7 --top-k 3\nhi")
    kernel.run("%config LMSMagics.temperature = None\n%config LMSMagics.max_tokens = None")
    body = stub.bodies[0]
    assert (body["temperature"], body["seed"], body["top_k"], body["max_tokens"]) == (0, 7, 3, 9)
    assert body["stream"] is True


def test_reasoning_is_folded(kernel: Kernel, stub: StubServer) -> None:
    stub.answer = [{"reasoning_content": "Let me see."}, "Four."]
    markdown = kernel.run("%%lms\n2+2?").text("text/markdown")
    assert markdown.startswith("<details><summary>Reasoning</summary>\n\nLet me see.")
    assert kernel.value("_.reasoning") == "Let me see."


def test_an_interrupt_stops_the_generation_at_once_and_keeps_the_text(
    kernel: Kernel, stub: StubServer
) -> None:
    stub.answer = ["Once upon", 60, " never"]
    began = time.monotonic()
    ran = kernel.run("%%lms --out story\nTell me.", interrupt_at="Once upon")
    assert stub.client_left.wait(30)
    assert time.monotonic() - began < 30  # long before the next word
    assert ran.status == "error"  # "Run all" stops here
    [shown, error] = ran.outputs
    assert shown["data"]["text/markdown"].startswith("Once upon\n")
    assert "interrupted</sub>" in shown["data"]["text/markdown"]
    assert error["ename"] == "Interrupted"
    assert len(error["traceback"]) == 1
    assert kernel.value("(str(story), story.finish_reason)") == ("Once upon", "interrupted")
    stub.answer = ["Fine."]
    assert kernel.run("%%lms\nGo on.").status == "ok"
    roles = [m["role"] for m in stub.bodies[-1]["messages"]]
    assert roles == ["user", "assistant", "user"]


def test_an_interrupt_before_the_first_token_leaves_no_half_turn(
    kernel: Kernel, stub: StubServer
) -> None:
    stub.models = [model("tiny")]  # not loaded: the cell says what it waits for
    stub.answer = [60]
    kernel.run("%%lms\nlost", interrupt_at="loading tiny")
    stub.answer = ["Hi."]
    kernel.run("%%lms\nkept")
    assert [m["content"] for m in stub.bodies[-1]["messages"]] == ["kept"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            [{"status": 404, "code": "model_not_found", "message": "No such\nmodel."}],
            "No such model.",
        ),
        ([{"status": 429, "code": "queue_full", "message": "Busy."}], "Busy."),
        (
            ["Half", {"error": {"message": "The engine died.", "code": "engine_died"}}],
            "engine died",
        ),
        (["Half", "CLOSE"], "lost"),
    ],
)
def test_a_failure_is_one_line_and_fails_the_cell(
    kernel: Kernel, stub: StubServer, answer: list, said: str
) -> None:
    stub.answer = answer
    ran = kernel.run("%%lms\nhi")
    assert ran.status == "error"
    assert said in ran.stream("stderr")
    assert ran.stream("stderr").count("\n") == 1
    assert not [o for o in ran.outputs if o["output_type"] == "error"]
    if answer[0] == "Half":
        assert "Half" in ran.text() and "failed" in ran.text()
    stub.answer = ["Fine."]
    kernel.run("%%lms\nagain")
    assert [m["content"] for m in stub.bodies[-1]["messages"]] == ["again"]


def test_a_failed_start_does_not_leave_the_cell_loading(kernel: Kernel, stub: StubServer) -> None:
    stub.models = [model("tiny")]
    stub.answer = [{"status": 500, "code": "model_load_failed", "message": "bad magic"}]
    ran = kernel.run("%%lms\nhi")
    assert "[loading tiny …]" in ran.history
    assert ran.text() == "[tiny · failed]"


def test_a_full_context_says_how_to_go_on(kernel: Kernel, stub: StubServer) -> None:
    kernel.run("%%lms\nhi")
    stub.answer = [{"status": 400, "code": "context_length_exceeded", "message": "5 > 4."}]
    assert "%lms reset" in kernel.run("%%lms\nmore").stream("stderr")


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("%%lms\n   \n\n", "no message"),
        ("%%lms --temprature 1\nhi", "unrecognized"),
        ("%%lms -t hot\nhi", "not a number"),
        ("%%lms --out a-b\nhi", "name of a variable"),
        ("%%lms -s 'open\nhi", "No closing quotation"),
        ("%lms lod tiny", "Did you mean `%lms load`"),
        ("%lms load tiny --gpu much", "--gpu"),
    ],
)
def test_a_slip_costs_nothing(kernel: Kernel, stub: StubServer, cell: str, said: str) -> None:
    ran = kernel.run(cell)
    assert ran.status == "error"
    assert said in ran.stream("stderr")
    assert not stub.bodies


def test_the_models_are_a_table_and_on_request_data(kernel: Kernel, stub: StubServer) -> None:
    ran = kernel.run("%lms ls")
    assert "<table>" in ran.text("text/html")
    assert "98.00 MB  ✓ tiny" in ran.text()
    assert '"key": "tiny"' in kernel.run("%lms ls --json").text()
    kernel.run("models = %lms ls --json")
    assert kernel.value("[m['key'] for m in models]") == ["tiny"]
    assert "IDLE" in kernel.run("%lms ps").text()
    assert "4.00 GB of 8.00 GB free" in kernel.run("%lms status").text()
    assert stub.base_url + "v1" in kernel.run("%lms server status").stream()


def test_loading_shows_progress_in_its_own_cell(kernel: Kernel, stub: StubServer) -> None:
    ran = kernel.run("%lms load tiny -c 2048 --no-mmap")
    assert "Loading tiny ████████████░░░░░░░░░░░░  50%" in ran.history
    assert ran.text() == "tiny is loaded (1.5 s)."  # the bar is gone from the saved notebook
    assert stub.bodies == [
        {
            "model": "tiny",
            "context_length": 2048,
            "mmap": False,
            "stream": True,
            "echo_load_config": True,
        }
    ]


def test_a_failed_load_says_what_the_engine_said(kernel: Kernel, stub: StubServer) -> None:
    error = {"message": "bad magic", "code": "model_load_failed"}
    stub.load_events = [{"type": "error", "error": error}]
    ran = kernel.run("%lms load tiny")
    assert (ran.status, ran.stream("stderr")) == ("error", "UsageError: bad magic\n")


def test_unload_takes_the_only_one_or_asks_which(kernel: Kernel, stub: StubServer) -> None:
    stub.models = [model("a", "a1"), model("b", "b1")]
    assert "a1, b1" in kernel.run("%lms unload").stream("stderr")
    assert "b1 is unloaded." in kernel.run("%lms unload b1").stream()
    assert "a1 is unloaded." in kernel.run("%lms unload").stream()
    assert "No model is loaded" in kernel.run("%lms unload").stream("stderr")


def test_tab_and_question_mark_help(kernel: Kernel) -> None:
    kernel.run("%%lms\nhi")  # has asked the server which models there are
    assert kernel.complete("%lms loa") == ["load"]
    assert kernel.complete("%lms load t") == ["tiny"]
    assert kernel.complete("%%lms --temp") == ["--temperature"]
    assert "%lms unload" in kernel.inspect("%lms?")
    assert "--context-length" in kernel.run("%lms load --help").stream()
    assert "{expression}" in kernel.run("%%lms --help\n.").stream()


def test_a_bare_openai_client_finds_the_server(kernel: Kernel, stub: StubServer) -> None:
    ran = kernel.run("from openai import OpenAI\nc = OpenAI()\nprint(c.base_url, c.api_key)")
    assert ran.stream() == f"{stub.base_url}v1/ {KEY}\n"
    ran = kernel.run("import lmnb\nc = lmnb.client()\nprint(c.base_url, c.api_key)")
    assert ran.stream() == f"{stub.base_url}v1/ {KEY}\n"
    ran = kernel.run("import lmnb\nc = lmnb.async_client()\nprint(type(c).__name__)")
    assert ran.stream() == "AsyncOpenAI\n"


def test_loading_the_extension_is_undone_without_a_trace(stub: StubServer) -> None:
    own = Kernel.local(
        {"LMNB_BASE_URL": stub.base_url, "LMNB_API_KEY": KEY, "OPENAI_API_KEY": "sk-user"}
    )
    try:
        own.run("%load_ext lmnb")
        assert own.value("__import__('os').environ.get('OPENAI_BASE_URL')") is None
        own.run("%reload_ext lmnb")
        assert own.run("%lms ls").status == "ok"
        own.run("%unload_ext lmnb")
        assert own.run("%lms ls").status == "error"
        assert "load" not in own.complete("%lms lo")
    finally:
        own.close()


def test_an_unreachable_server_is_one_line(stub: StubServer) -> None:
    lonely = Kernel.local({"LMNB_BASE_URL": "http://127.0.0.1:9/", "LMNB_API_KEY": KEY})
    try:
        assert lonely.run("%load_ext lmnb").status == "ok"
        ran = lonely.run("%%lms\nhi")
        assert ran.status == "error"
        assert (
            ran.stream("stderr") == "UsageError: No lmnb server answers at http://127.0.0.1:9/.\n"
        )
    finally:
        lonely.close()


def test_importing_lmnb_is_free() -> None:
    """Jupyter imports it at every start, and so does every script that only wants a client."""
    code = "import sys, lmnb; print([m for m in sys.modules if m in set('%s'.split())])"
    heavy = "httpx openai IPython tornado llama_cpp huggingface_hub numpy pydantic jinja2"
    ran = subprocess.run([sys.executable, "-c", code % heavy], capture_output=True, cwd=ROOT)
    assert ran.stdout.strip() == b"[]"
