"""A model that is only on the Hub, asked for in a cell: a real server, and a stand-in for the Hub."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub import StandInHub
from tests.hub.models import TINY
from tests.notebook.kernels import Kernel
from tests.server.spawn import lmnb_serve


@pytest.fixture
def kernel(hub: StandInHub, tmp_path: Path) -> Iterator[Kernel]:
    """Nothing of the Hub is on the machine yet."""
    with lmnb_serve(tmp_path, **hub.environ(tmp_path / "huggingface")) as server:
        assert server.url, server.log
        kernel = Kernel.local({"LMNB_BASE_URL": server.url, "LMNB_API_KEY": ""})
        kernel.run("%load_ext lmnb")
        yield kernel
        kernel.close()


def test_a_cell_finds_fetches_loads_and_asks(kernel: Kernel) -> None:
    cell = f"%%lms -m {TINY} -t 0 --max-tokens 4\nhi"
    ran = kernel.run(cell)  # nobody is there
    assert ran.status == "error"
    assert f"`%lms get {TINY}` downloads {TINY} Q4_K_M" in ran.stream("stderr")
    ran = kernel.run(cell, answers=["y"])
    assert ran.status == "ok", ran.stream("stderr")
    assert ran.questions[0].startswith(f"{TINY} is not on this machine. Download {TINY} Q4_K_M (")
    assert f"{TINY} Q4_K_M" in ran.text() and "is downloaded." in ran.text()
    assert "tokens/s" in ran.text()
    assert kernel.run(cell).status == "ok"  # it is here now


def test_a_name_that_nobody_has_is_one_line(kernel: Kernel) -> None:
    ran = kernel.run("%%lms -m nobody/has-this-model\nhi", answers=["y"])
    assert ran.status == "error"
    assert not ran.questions
    assert "On the Hub:" in ran.stream("stderr")
    assert ran.stream("stderr").count("\n") == 1
