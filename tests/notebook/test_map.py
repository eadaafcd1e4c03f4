"""`lmnb.map`: a question for each row, whatever happens in between."""

import builtins
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lmnb.errors import InvalidRequest, LmnbError, ModelNotFound
from lmnb.notebook.api.mapping import amap, map  # noqa: A004
from tests.notebook.kernels import Kernel
from tests.notebook.stub_server import StubServer

FAILS = {"status": 400, "code": "invalid_value", "message": "No."}
BUSY = {"status": 429, "code": "queue_full", "message": "Busy."}


pytestmark = pytest.mark.usefixtures("own_server", "impatient")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lmnb.errors.QueueFull.retry_after", 0.01)


@dataclass
class Verdict:
    good: bool
    stars: int


GOOD = ['{"good": true, "stars": 5}']


def test_a_series_becomes_a_typed_table_with_its_index(stub: StubServer) -> None:
    stub.answer = GOOD
    reviews = pd.Series(["fine", None, "nice"], index=["x", "y", "z"], name="review")
    table = map(reviews, "Is it good? {}", schema=Verdict, temperature=0)
    assert table.index.tolist() == ["x", "y", "z"]
    assert table.columns.tolist() == ["good", "stars", "error"]
    assert [str(kind) for kind in table.dtypes[:2]] == ["boolean", "Int64"]
    assert table["stars"].tolist() == [5, pd.NA, 5]
    assert table["error"].tolist() == [pd.NA, "the value is missing", pd.NA]
    assert sorted(stub.prompts) == ["Is it good? fine", "Is it good? nice"]
    assert {body["temperature"] for body in stub.chats} == {0}


def test_rows_of_a_frame_fill_the_prompt_by_column(stub: StubServer) -> None:
    frame = pd.DataFrame({"name": ["Ada", "Bo"], "n": [1, 2]})
    table = map(frame, 'Greet {name} {n} times: {"json": {stays}}', concurrency=1)
    assert stub.prompts == [
        'Greet Ada 1 times: {"json": {stays}}',
        'Greet Bo 2 times: {"json": {stays}}',
    ]
    assert table["answer"].tolist() == ["Hello there."] * 2
    map(frame, lambda row: row["name"].upper(), concurrency=1)
    assert stub.prompts[2:] == ["ADA", "BO"]


def test_a_list_without_a_place_in_the_prompt_follows_it(stub: StubServer) -> None:
    table = map(["one", "two"], "Translate.", concurrency=1, system="Be brief.")
    assert stub.prompts == ["Translate.\n\none", "Translate.\n\ntwo"]
    assert stub.chats[0]["messages"][0] == {"role": "system", "content": "Be brief."}
    assert table.index.tolist() == [0, 1]


def test_errors_stay_with_their_rows_or_are_raised(stub: StubServer) -> None:
    stub.answers = [["fine"], [FAILS]]
    table = map(["a", "b", "c"], "{}", concurrency=1)
    assert table["error"].tolist() == [pd.NA, "No.", pd.NA]
    assert table["answer"].tolist() == ["fine", pd.NA, "Hello there."]
    stub.answers = [["fine"], [FAILS]]
    with pytest.raises(InvalidRequest, match=r"No\."):
        map(["a", "b", "c"], "{}", concurrency=1, on_error="raise")


def test_what_every_row_would_meet_is_raised_at_once(stub: StubServer) -> None:
    stub.answer = [{"status": 404, "code": "model_not_found", "message": "No such model."}]
    with pytest.raises(ModelNotFound):
        map(range(100), "{}", concurrency=1)
    assert len(stub.chats) == 1


def test_a_full_queue_is_waited_for(stub: StubServer) -> None:
    stub.answers = [[BUSY], [BUSY], ["fine"]]
    assert map(["a"], "{}")["answer"].tolist() == ["fine"]
    stub.answer = [BUSY]
    assert map(["a"], "{}")["error"].tolist() == ["Busy."]


def test_an_earlier_result_is_resumed(stub: StubServer) -> None:
    stub.answer, stub.answers = GOOD, [GOOD, [FAILS]]
    data = pd.Series(["a", "b", "c"])
    first = map(data, "{}", schema=Verdict, concurrency=1)
    second = map(data, "{}", schema=Verdict, resume=first)
    assert stub.prompts == ["a", "b", "c", "b"]
    assert second["stars"].tolist() == [5, 5, 5]
    assert second["error"].isna().all()
    with pytest.raises(InvalidRequest, match="3 rows, the data 2"):
        map(data[:2], "{}", schema=Verdict, resume=first)
    with pytest.raises(InvalidRequest, match="other columns"):
        map(data, "{}", resume=first)


def test_answers_in_a_file_are_not_asked_for_again(stub: StubServer, tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    stub.answers = [["one"], [FAILS]]
    map(["a", "b"], "{}", concurrency=1, resume=path)
    with path.open("a") as file:
        file.write('{"key": "cut off')
    table = map(["b", "a"], "{}", concurrency=1, resume=path)
    assert stub.prompts == ["a", "b", "b"]
    assert table["answer"].tolist() == ["Hello there.", "one"]
    map(["a"], "{}", temperature=0, resume=path)  # another question
    assert stub.prompts[-1] == "a" and len(stub.prompts) == 4
    (tmp_path / "other.txt").write_text("mine")
    with pytest.raises(InvalidRequest, match="no file of answers"):
        map(["a"], "{}", resume=tmp_path / "other.txt")


def test_without_pandas_the_rows_are_a_list(
    stub: StubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without_pandas(name: str, *more: Any) -> Any:
        if name == "pandas":
            raise ImportError(name)
        return real(name, *more)

    monkeypatch.setattr(builtins, "__import__", without_pandas)
    stub.answers = [GOOD, [FAILS]]
    stub.answer = GOOD
    rows = map(["a", "b"], "{}", schema=Verdict, concurrency=1)
    assert [(row.value, row.error) for row in rows] == [(Verdict(True, 5), None), (None, "No.")]
    rows = map(["a", "b"], "{}", schema=Verdict, resume=rows)
    assert [row.value for row in rows] == [Verdict(True, 5)] * 2


async def test_the_async_twin_tells_how_far_it_is(stub: StubServer) -> None:
    heard = list[float]()
    table = await amap(["a", "b"], "{}", concurrency=1, progress=heard.append)
    assert heard == [0.5, 1.0]
    assert len(table) == 2


def test_what_cannot_be_gone_over_is_said() -> None:
    for data in ("text", {"a": 1}, 7):
        with pytest.raises(LmnbError, match="goes over a Series"):
            map(data, "{}")


def test_progress_stays_in_its_cell_and_an_interrupt_keeps_the_rows(
    kernel: Kernel, stub: StubServer
) -> None:
    ran = kernel.run("import lmnb\ntable = lmnb.map(['a', 'b'], '{}')")
    assert ran.status == "ok"
    assert ran.text().startswith("2 rows in ")
    assert len(ran.outputs) == 1
    stub.answers = [["one"], [60]]
    ran = kernel.run(
        "lmnb.map(['a', 'b'], '{}', concurrency=1)",
        interrupt_at="50%",
        interrupt_once=lambda: not stub.answers,
    )
    assert ran.status == "error"
    assert stub.client_left.wait(30)
    assert "stopped after 1 of 2 rows" in "".join(ran.outputs[-1]["traceback"])
    rest = "lmnb.map(['a', 'b'], '{}', resume=sys.last_value.result)['answer'].tolist()"
    assert kernel.value(f"__import__('sys') and (sys := __import__('sys')) and {rest}") == [
        "one",
        "Hello there.",
    ]
