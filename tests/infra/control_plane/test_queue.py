"""The writer's queue: one leads, the others sleep, and nobody waits for what nobody works on."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from infra.control_plane.job import Job
from infra.control_plane.queue import Queue

WAIT_S = 10


def job(size: int = 1) -> Job:
    return Job([None] * size)  # type: ignore[list-item]  # the queue only counts them


class Work:
    """Notes what is worked on; the first time it waits until it may go on."""

    def __init__(self) -> None:
        self.taken: list[list[Job]] = []
        self.begun = threading.Event()
        self.go_on = threading.Event()
        self.error: BaseException | None = None
        self._busy = threading.Lock()

    def __call__(self, jobs: list[Job]) -> None:
        assert self._busy.acquire(blocking=False), "two threads lead"
        try:
            self.taken.append(jobs)
            self.begun.set()
            assert self.go_on.wait(WAIT_S)
            if self.error is not None:
                error, self.error = self.error, None
                raise error
        finally:
            self._busy.release()


@pytest.fixture
def work() -> Work:
    return Work()


def waiting(queue: Queue, count: int) -> None:
    """Return once that many jobs wait."""
    for _ in range(WAIT_S * 1_000):
        if len(queue._waiting) >= count:
            return
        threading.Event().wait(0.001)
    raise AssertionError("they never came")


def test_what_comes_while_one_works_is_taken_together(work: Work) -> None:
    queue = Queue(work, 10)
    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(queue.run, [job()])
        assert work.begun.wait(WAIT_S)
        others = [threads.submit(queue.run, [job()]) for _ in range(7)]
        waiting(queue, 7)
        work.go_on.set()
        for each in (first, *others):
            each.result(WAIT_S)
    assert [len(taken) for taken in work.taken] == [1, 7]


def test_jobs_are_taken_in_their_order_and_never_more_items_than_allowed_unless_one_has_more(work: Work) -> None:
    work.go_on.set()
    jobs = [job(1), job(9), job(1), job(25), job(3)]
    Queue(work, 10).run(jobs)
    assert work.taken == [jobs[:2], jobs[2:3], jobs[3:4], jobs[4:]]


def test_many_threads_are_all_answered(work: Work) -> None:
    work.go_on.set()
    queue = Queue(work, 3)

    def write(_: int) -> Sequence[Job]:
        jobs = [job(), job()]
        queue.run(jobs)
        return jobs

    with ThreadPoolExecutor(16) as threads:
        written = [each for jobs in threads.map(write, range(400)) for each in jobs]
    worked = [each for taken in work.taken for each in taken]
    assert sorted(map(id, worked)) == sorted(map(id, written))


def test_an_error_of_the_work_reaches_who_leads_and_the_others_go_on(work: Work) -> None:
    queue = Queue(work, 1)
    work.error = KeyboardInterrupt()
    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(queue.run, [job()])
        assert work.begun.wait(WAIT_S)
        others = [threads.submit(queue.run, [job()]) for _ in range(2)]
        waiting(queue, 2)
        work.go_on.set()
        with pytest.raises(KeyboardInterrupt):
            first.result(WAIT_S)
        for each in others:
            each.result(WAIT_S)
    assert len(work.taken) == 3


def test_a_leader_that_fails_takes_back_what_it_did_not_begin(work: Work) -> None:
    queue = Queue(work, 1)
    work.go_on.set()
    work.error = KeyboardInterrupt()
    jobs = [job(), job()]
    with pytest.raises(KeyboardInterrupt):
        queue.run(jobs)
    queue.run([job()])
    assert not any(each is jobs[1] for taken in work.taken for each in taken)
