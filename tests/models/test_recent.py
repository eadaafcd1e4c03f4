"""Answers stay good for a while, and so many."""

from __future__ import annotations

import pytest

from lmnb.models.hub.recent import Recent


def test_a_value_is_made_again_when_it_is_too_old() -> None:
    now = [0.0]
    made: list[int] = []
    recent: Recent[int] = Recent(10, 5, clock=lambda: now[0])

    def make() -> int:
        made.append(1)
        return len(made)

    assert [recent.get("a", make), recent.get("a", make)] == [1, 1]
    now[0] = 10.0
    assert recent.get("a", make) == 2


def test_the_oldest_goes_first_and_failures_are_not_kept() -> None:
    recent: Recent[str] = Recent(10, 2)
    for key in ("a", "b", "c"):
        recent.get(key, lambda key=key: key)  # type: ignore[misc]
    assert recent.get("c", lambda: "new") == "c"
    assert recent.get("a", lambda: "new") == "new"
    with pytest.raises(ValueError, match="x"):
        recent.get("d", lambda: int("x") and "")
    assert recent.get("d", lambda: "made") == "made"
