"""Plain IPython: text goes to the terminal as it comes; nobody is asked where nobody sits."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.notebook.kernels import ISOLATED, ROOT
from tests.notebook.stub_server import KEY, StubServer
from tests.notebook.test_cell_tools import call

pexpect = pytest.importorskip("pexpect")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pexpect needs a Unix terminal")


@pytest.fixture
def environ(stub: StubServer, tmp_path: Path) -> dict[str, str]:
    """Away from the user's profile and history."""
    inherited = {k: v for k, v in os.environ.items() if k not in ISOLATED}
    return inherited | {
        "LMNB_BASE_URL": stub.base_url,
        "LMNB_API_KEY": KEY,
        "PYTHONPATH": str(ROOT),
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        "TERM": "dumb",
    }


def ipython(code: str, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "IPython", "--no-banner", "--colors=nocolor", "-c", code]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)


def terminal(environ: dict[str, str], *lines: str, timeout: float = 60) -> Any:
    """IPython at a terminal, with these lines run, or begun."""
    command = ["-m", "IPython", "--no-banner", "--simple-prompt", "--colors=nocolor"]
    child = pexpect.spawn(sys.executable, command, env=environ, timeout=timeout, encoding="utf-8")
    for number, line in enumerate(lines, 1):
        child.expect(f"In \\[{number}\\]")
        child.sendline(line)
    return child


def test_an_answer_is_plain_text_followed_by_its_facts(environ: dict[str, str]) -> None:
    code = "%load_ext lmnb\nget_ipython().run_cell_magic('lms', '', 'hi')\nprint(_.upper())"
    ran = ipython(code, environ)
    facts = "[50 tokens/s · first token 0.12 s · context 12 / 4,096 · tiny]"
    assert ran.stdout.startswith(f"Hello there.\n\n{facts}\nHELLO THERE.\n")
    assert "\x1b" not in ran.stdout


def test_thinking_stands_between_marks(environ: dict[str, str], stub: StubServer) -> None:
    stub.answer = [{"reasoning_content": "Let me"}, {"reasoning_content": " see."}, "Four."]
    ran = ipython("%load_ext lmnb\nget_ipython().run_cell_magic('lms', '', '2+2?')", environ)
    assert ran.stdout.startswith("[thinking]\nLet me see.\n[/thinking]\n\nFour.\n\n[")


def test_a_comparison_is_shown_one_after_the_other(environ: dict[str, str]) -> None:
    code = "%load_ext lmnb\nget_ipython().run_cell_magic('lms', '--compare a,b', 'hi')"
    ran = ipython(code, environ)
    assert ran.stdout.startswith("== a ==\nHello there.\n[50 tokens/s")
    assert "\n\n== b ==\nHello there.\n" in ran.stdout


def test_a_script_prints_nothing_of_its_own(environ: dict[str, str]) -> None:
    code = "import lmnb; print(lmnb.chat('hi')); print(len(lmnb.map(['a'], '{}')))"
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=60
    )
    assert (ran.stdout, ran.stderr) == ("Hello there.\n1\n", "")


def test_a_widget_is_a_sentence(environ: dict[str, str]) -> None:
    ran = ipython("import lmnb\ndisplay(lmnb.Chat())", environ)
    assert ran.stdout.startswith("lmnb.Chat() shows itself in JupyterLab and Notebook.")
    assert ran.stdout.count("\n") == 1
    assert not ran.stderr


def test_a_widget_without_a_server_says_so(environ: dict[str, str]) -> None:
    alone = {name: value for name, value in environ.items() if not name.startswith("LMNB_")}
    code = "import lmnb, time; chat = lmnb.Chat()\nwhile not chat.error: time.sleep(0.05)"
    ran = ipython(code + "\nprint(chat); print(chat.error)", alone)
    assert "Without widgets: `%%lms`" in ran.stdout
    assert "No lmnb server" in ran.stdout
    assert not ran.stderr


def test_tables_and_json_are_text(environ: dict[str, str]) -> None:
    ran = ipython("%load_ext lmnb\n%lms ls\n%lms ls --json", environ)
    assert "tiny  135M" in ran.stdout
    assert '"key": "tiny"' in ran.stdout


def test_an_error_is_one_line_on_stderr(environ: dict[str, str], stub: StubServer) -> None:
    stub.answer = [{"status": 404, "code": "model_not_found", "message": "No such model."}]
    ran = ipython("%load_ext lmnb\nget_ipython().run_cell_magic('lms', '', 'hi')", environ)
    assert "UsageError: No such model." in ran.stderr
    assert "Traceback" not in ran.stdout + ran.stderr


def test_nobody_is_asked_in_a_batch_run(environ: dict[str, str]) -> None:
    """Also when the batch was started from a terminal, where input() would wait for ever."""
    environ = {k: v for k, v in environ.items() if not k.startswith("LMNB_")}
    command = "%load_ext lmnb\nprint('went on')"
    child = pexpect.spawn(
        sys.executable, ["-m", "IPython", "--no-banner", "-c", command], env=environ, timeout=60
    )
    child.expect("went on")
    child.expect(pexpect.EOF)


def test_in_a_terminal_without_a_server_one_is_offered(environ: dict[str, str]) -> None:
    environ = {k: v for k, v in environ.items() if not k.startswith("LMNB_")}
    child = terminal(environ, "%load_ext lmnb")
    child.expect("Start one that ends with this session\\?")
    child.sendline("n")
    child.expect("No lmnb server found")
    child.expect("In \\[2\\]")
    child.sendline("exit")
    child.expect(pexpect.EOF)


def test_a_server_started_from_a_terminal_answers_and_ends_with_it(
    environ: dict[str, str],
) -> None:
    environ = {k: v for k, v in environ.items() if not k.startswith("LMNB_")}
    child = terminal(environ, "%load_ext lmnb", timeout=60)
    child.expect("\\[Y/n\\]")
    child.sendline("")
    child.expect("it serves at http://127.0.0.1:[0-9]+/v1")
    child.sendline("%lms ls")
    child.expect("smollm2-135m-instruct")
    [file] = Path(environ["JUPYTER_RUNTIME_DIR"]).glob("lmnb-*.json")
    server = psutil.Process(json.loads(file.read_text())["pid"])
    child.sendline("exit")
    child.expect(pexpect.EOF)
    assert not psutil.wait_procs([server], timeout=60)[1]


def test_control_c_in_a_terminal_keeps_the_text(environ: dict[str, str], stub: StubServer) -> None:
    stub.answer = ["Once upon", 60]
    child = terminal(environ, "%load_ext lmnb", "get_ipython().run_cell_magic('lms', '', 'hi')")
    child.expect("Once upon")
    child.sendintr()
    child.expect("interrupted\\]")
    child.expect("In \\[3\\]")
    assert "Traceback" not in child.before
    assert stub.client_left.wait(30)
    child.sendline("exit")
    child.expect(pexpect.EOF)


def test_in_a_terminal_the_person_is_asked_before_a_tool_runs(
    environ: dict[str, str], stub: StubServer
) -> None:
    stub.answers = [[call("{}", "now"), {"finish_reason": "tool_calls"}], ["Noon."]]
    child = terminal(
        environ,
        "%load_ext lmnb",
        "now = lambda: 12; now.__name__ = 'now'",
        "get_ipython().run_cell_magic('lms', '--tools now', 'When?')",
    )
    child.expect("The model wants to run now\\(\\)")
    child.sendline("y")
    child.expect("→ now\\(\\)")
    child.expect("← 12")
    child.expect("Noon.")
    child.expect("In \\[4\\]")
    child.sendline("exit")
    child.expect(pexpect.EOF)
