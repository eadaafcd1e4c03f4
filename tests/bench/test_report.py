"""The table: medians over rounds, ratios inside rounds, bars."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.compare import cells, load_option, main
from bench.report import BEGIN, END, Line, Result, number, table, write_between_marks


def results(server: str, values: list[float]) -> list[Result]:
    return [
        Result(turn, "one-stream", server, {"output_tps": value})
        for turn, value in enumerate(values)
    ]


def test_the_ratio_is_the_median_of_the_ratios_inside_rounds() -> None:
    """The machine halved its speed in the second round; the ratio does not see it."""
    text = table(
        [*results("lmnb", [100, 50, 100]), *results("llama-server", [100, 50, 200])],
        ["lmnb", "llama-server"],
        "lmnb",
    )
    line = next(line for line in text.splitlines() if line.startswith("| 1 stream, output"))
    assert "1.00 x llama-server" in line
    assert "100 (50.0 to 100)" in line
    assert line.endswith("| ≥ 0.98 | yes |")


def test_a_missed_bar_is_shown_as_missed() -> None:
    text = table(
        [*results("lmnb", [90]), *results("llama-server", [100])], ["lmnb", "llama-server"], "lmnb"
    )
    assert "| 0.900 x llama-server | ≥ 0.98 | **no** |" in text


def test_a_failed_cell_is_named_under_the_table() -> None:
    failed = Result(1, "one-stream", "lmnb", {}, "503 engine died")
    text = table([failed, *results("llama-server", [1])], ["lmnb", "llama-server"], "lmnb")
    assert "- failed: one-stream on lmnb, round 2: 503 engine died" in text


def test_less_is_better_where_the_line_says_so() -> None:
    line = Line("first token", "row", "figure", "less", 0.12)
    assert line.met(0.1)
    assert not line.met(0.2)


@pytest.mark.parametrize(
    ("value", "text"), [(123.4, "123"), (12.34, "12.3"), (0.1234, "0.123"), (float("nan"), "-")]
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_servers_take_turns_and_each_begins_a_round() -> None:
    order = list(cells(2, ["r1", "r2"], ["a", "b"]))
    assert order[:4] == [(0, "r1", "a"), (0, "r1", "b"), (0, "r2", "a"), (0, "r2", "b")]
    assert order[4:6] == [(1, "r1", "b"), (1, "r1", "a")]


def test_only_the_marked_part_of_a_page_is_written(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_between_marks(page, "new")
    assert page.read_text() == f"before\n{BEGIN}\nnew\n{END}\nafter\n"
    page.write_text("no marks")
    with pytest.raises(ValueError, match="has no lines"):
        write_between_marks(page, "new")


def test_load_options_are_json_or_text() -> None:
    assert load_option("kv_unified=false") == ("kv_unified", False)
    assert load_option("cache_type_k=q8_0") == ("cache_type_k", "q8_0")


def test_unknown_rows_are_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--model", __file__, "--rows", "nothing"])
    assert "unknown: nothing" in capsys.readouterr().err
