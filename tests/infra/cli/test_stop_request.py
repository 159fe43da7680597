"""A request to stop that a signal makes."""

import signal
from collections.abc import Iterator
from contextlib import closing
from time import monotonic

import pytest

from infra.cli.stop_request import StopRequest

SIGNALS = 2_000


@pytest.fixture
def stopping() -> Iterator[StopRequest]:
    with closing(StopRequest()) as request:
        yield request


@pytest.fixture
def signalled(stopping: StopRequest) -> Iterator[list[int]]:
    """Has a signal request it every 50 µs, and counts how often."""
    heard: list[int] = []

    def hear(number: int, _: object) -> None:
        stopping.set()
        heard.append(number)

    before = signal.signal(signal.SIGALRM, hear)
    signal.setitimer(signal.ITIMER_REAL, 50e-6, 50e-6)
    yield heard
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_it_is_requested_once_and_for_ever(stopping: StopRequest) -> None:
    assert not stopping.is_set()
    assert not stopping.wait(0)
    stopping.set()
    assert stopping.is_set()
    assert stopping.wait(60)
    assert stopping.wait(60), "whoever heard of it hears of it again"


def test_a_signal_in_the_midst_of_a_wait_ends_it(stopping: StopRequest) -> None:
    before = signal.signal(signal.SIGALRM, lambda *_: stopping.set())
    began = monotonic()
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    try:
        assert stopping.wait(600)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert monotonic() - began < 300


def test_a_signal_at_whichever_moment_of_a_wait_holds_up_nothing(stopping: StopRequest, signalled: list[int]) -> None:
    """An Event hangs here: its `set` waits for the lock that the interrupted `wait` holds."""
    while len(signalled) < SIGNALS:
        stopping.wait(0)
    assert stopping.is_set()
