"""An interrupt never cuts an output in two."""

import signal

import pytest

from lmnb.notebook.display.interrupts import held_back


def test_an_interrupt_inside_is_raised_at_the_end() -> None:
    done = []
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), held_back():  # noqa: PT012
        signal.raise_signal(signal.SIGINT)
        done.append("all")
    assert done == ["all"]
    assert signal.getsignal(signal.SIGINT) is before


def test_without_one_nothing_is_raised() -> None:
    with held_back():
        pass
