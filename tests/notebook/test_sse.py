"""Events come out whole, however the network cut them."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from lmnb.notebook.connection.sse import ServerEvent, read_events

STREAM = (
    ": ping\n\n"
    'event: a\ndata: {"x": "line\u2028separator"}\n\n'
    "data: one\r\ndata: two\r\n\r\n"
    "data: [DONE]\n\n"
).encode()
EVENTS = [
    ServerEvent(comment="ping"),
    ServerEvent(event="a", data='{"x": "line\u2028separator"}'),
    ServerEvent(data="one\ntwo"),
    ServerEvent(data="[DONE]"),
]


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_chunks_may_end_anywhere(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    chunks = [STREAM[a:b] for a, b in pairwise(edges)]
    assert list(read_events(chunks)) == EVENTS


def test_an_event_without_its_last_blank_line_counts() -> None:
    assert list(read_events([b"data: x"])) == [ServerEvent(data="x")]
