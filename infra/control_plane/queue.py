"""The writer's queue: who finds nobody at work leads, takes all that waits, and hands over once its own is done."""

import threading
from collections import deque
from collections.abc import Callable, Sequence

from infra.control_plane.job import Job


class _Turn:
    """A caller of `run`. It sleeps on a lock of its own, and is woken when its jobs are done or it is to lead."""

    __slots__ = ("leads", "left", "wake")

    def __init__(self, left: int) -> None:
        self.left = left
        self.leads = False
        self.wake = threading.Lock()
        self.wake.acquire()


class Queue:
    """Jobs in their order, and the one thread at a time that works on them; safe to call from any thread."""

    def __init__(self, work: Callable[[list[Job]], None], items_max: int) -> None:
        self._work = work
        self._items_max = items_max
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Job, _Turn]] = deque()
        self._is_led = False

    def run(self, jobs: Sequence[Job]) -> None:
        """Have the jobs worked on, in their order, and return when they are; raises what the work of a leader raises.

        A caller that is interrupted while it waits takes back those of its jobs that nobody has begun.
        """
        turn = _Turn(len(jobs))
        try:
            with self._lock:
                self._waiting.extend((job, turn) for job in jobs)
                if not self._is_led:
                    self._is_led = turn.leads = True
            if not turn.leads:
                turn.wake.acquire()
            while turn.left:
                self._lead()
        finally:
            self._leave(turn)

    def _lead(self) -> None:
        taken = self._take()
        try:
            self._work([job for job, _ in taken])
        finally:
            # Also after KeyboardInterrupt: nobody may wait for a job that nobody works on any more.
            for _, turn in taken:
                turn.left -= 1
                if not turn.left and not turn.leads:
                    turn.wake.release()

    def _take(self) -> list[tuple[Job, _Turn]]:
        taken: list[tuple[Job, _Turn]] = []
        size = 0
        with self._lock:
            while self._waiting and (not taken or size + len(self._waiting[0][0].items) <= self._items_max):
                taken.append(self._waiting.popleft())
                size += len(taken[-1][0].items)
        return taken

    def _leave(self, turn: _Turn) -> None:
        with self._lock:
            if turn.left:
                self._waiting = deque(each for each in self._waiting if each[1] is not turn)
            if not turn.leads:
                return
            if self._waiting:
                following = self._waiting[0][1]
                following.leads = True
                following.wake.release()
            else:
                self._is_led = False
