"""Threads are given up to who computes, not to who reads our tokens, and taken back."""

import pytest

from lmnb.engine.threads import FIRST_HOLD, ThreadGovernor


class Machine:
    """A governor with a clock of its own, and steps that take what a test says."""

    def __init__(self, most=2, cores=2):
        self.now = 100.0
        self.abandoned = 0
        self.governor = ThreadGovernor(
            most, cores, adaptive=False, abandon=self._abandon, clock=lambda: self.now
        )

    def _abandon(self):
        self.abandoned += 1

    def steps(self, seconds, count=10, tokens=1):
        for _ in range(count):
            self.governor.before(tokens)
            self.now += seconds
            self.governor.after(tokens, seconds)

    def reads(self, *others):
        for value in others:
            self.now += 0.15
            self.governor.settle(value)
        return self.governor.threads


@pytest.fixture
def machine():
    machine = Machine()
    machine.steps(0.007)
    return machine


def test_a_kernel_that_computes_before_we_begin_keeps_its_core(machine):
    assert machine.reads(1.0) == 1


def test_readers_of_our_own_tokens_cost_us_no_thread(machine):
    for _ in range(20):
        machine.steps(0.008)
        assert machine.reads(0.6) == 2


def test_half_a_core_is_given_up_when_steps_are_slow(machine):
    machine.steps(0.5, count=3)
    assert machine.reads(0.5) == 1


def test_slow_steps_alone_are_no_reason(machine):
    machine.steps(0.5, count=3)
    assert machine.reads(0.1) == 2


def test_a_step_that_is_stuck_is_abandoned(machine):
    machine.governor.before(1)
    machine.now += 0.3
    assert machine.reads(0.6) == 1
    assert machine.abandoned == 1
    machine.governor.rest()
    machine.reads(1.0)
    assert machine.abandoned == 1


def test_a_step_that_is_not_late_goes_on(machine):
    machine.steps(1.0, tokens=512)
    machine.governor.before(512)
    machine.now += 0.5
    assert machine.reads(1.0) == 1
    assert machine.abandoned == 0


def test_the_core_is_taken_back_when_it_is_free_again(machine):
    machine.reads(1.0)
    machine.now += FIRST_HOLD
    assert machine.reads(0.1) == 1, "one reading may be a gap between two bursts"
    assert machine.reads(0.1) == 2


def test_what_others_did_before_work_began_again_is_past(machine):
    machine.reads(1.0)
    machine.governor.settle(1.0, afresh=True)
    assert machine.governor.threads == 1
    machine.governor.settle(0.1, afresh=True)
    assert machine.governor.threads == 2


def test_trials_that_fail_become_rarer(machine):
    trials = []
    for _ in range(200):
        before = machine.governor.threads
        if machine.reads(0.5) > before:
            trials.append(machine.now)
            machine.steps(0.5, count=3)
        else:
            machine.steps(0.012, count=3)
    gaps = [b - a for a, b in zip(trials, trials[1:], strict=False)]
    assert gaps[0] < 3
    assert gaps[-1] > 4


def test_there_is_always_a_thread_and_never_more_than_allowed():
    machine = Machine(most=4, cores=8)
    assert machine.reads(0.0, 0.0, 0.0) == 4
    assert machine.reads(3.0) == 4
    assert machine.reads(6.0) == 2
    assert machine.reads(40.0) == 1
