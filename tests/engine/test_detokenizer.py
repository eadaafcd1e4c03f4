"""Characters whole, stop strings never shown, nothing lost."""

from hypothesis import given
from hypothesis import strategies as st

from lmnb.engine.detokenizer import Detokenizer
from lmnb.engine.events import TokenLogprob


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    bounds = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in zip(bounds, bounds[1:], strict=False)]


@given(st.text(), st.lists(st.integers(0, 10_000)))
def test_any_split_of_the_bytes_gives_the_same_text(text, cuts):
    text = text.encode("utf-8", "ignore").decode()
    detokenizer = Detokenizer()
    shown = [detokenizer.push(piece) for piece in pieces(text.encode(), cuts)]
    assert "".join(shown) + detokenizer.flush() == text


@given(
    st.text("ab<|>", max_size=60),
    st.lists(st.integers(0, 100)),
    st.sampled_from(["ab", "<|>", "aab", "a"]),
)
def test_a_stop_string_cuts_the_text_where_it_first_begins(text, cuts, stop):
    detokenizer = Detokenizer((stop,))
    shown = ""
    for piece in pieces(text.encode(), cuts):
        shown += detokenizer.push(piece)
        assert stop not in shown
        if detokenizer.stopped:
            break
    shown += detokenizer.flush()
    assert shown == text.split(stop)[0]
    assert (detokenizer.stopped == stop) == (stop in text)


def test_text_is_held_only_while_it_may_become_a_stop_string():
    detokenizer = Detokenizer(("###",))
    assert detokenizer.push(b"Hello #") == "Hello "
    assert detokenizer.push(b"#") == ""
    assert detokenizer.push(b" no") == "## no"


def test_half_a_character_waits_and_is_dropped_at_the_end():
    detokenizer = Detokenizer()
    euro = "€".encode()
    assert detokenizer.push(euro[:2]) == ""
    assert detokenizer.push(euro[2:] + euro[:1]) == "€"
    assert detokenizer.flush() == ""


def test_logprobs_of_tokens_cut_off_by_a_stop_string_are_not_reported():
    detokenizer = Detokenizer(("END",))
    for i, piece in enumerate((b"yes", b" E", b"N", b"D")):
        detokenizer.push(piece, TokenLogprob(piece, -1.0, i))
    assert detokenizer.stopped == "END"
    assert [entry.bytes for entry in detokenizer.logprobs()] == [b"yes", b" E"]
