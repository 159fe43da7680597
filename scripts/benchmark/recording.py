"""Recording: one side of a benchmark each, of which every function runs in a process of its own."""

import multiprocessing
import threading
from collections.abc import Callable, Sequence
from multiprocessing.synchronize import Barrier
from typing import Any, TypeVar

from infra.control_plane.plane import ControlPlane
from infra.control_plane.request import Request
from infra.database.url import open_database
from infra.keys.password import TEST_COST
from scripts.benchmark.worker import Stopwatch
from scripts.benchmark.workload import ACTOR, AT_ONCE, ROOT_KEY, Workload, recorded

WARM_UP = 32
"""Changes that each side makes first: connections are open and statements known before the clock runs."""

T = TypeVar("T")


def by_clients(stopwatch: Stopwatch, url: str, changes: int, clients: int) -> None:
    """Record one change per call, from so many threads."""
    workload = Workload()
    plane = workload.installed(url)
    warm, timed = _divided(workload.changes(WARM_UP + changes))
    plane_of = _executing(plane)
    at_once(warm, clients, plane_of)
    with stopwatch.measuring(0):
        stopwatch.events += sum(at_once(timed, clients, plane_of))
    plane.database.close()


def by_processes(stopwatch: Stopwatch, url: str, changes: int, processes: int, clients: int) -> None:
    """Record one change per call, from so many processes of so many threads each."""
    Workload().installed(url).database.close()
    context = multiprocessing.get_context("spawn")
    barrier, counts = context.Barrier(processes + 1), context.Queue()
    workers = [
        context.Process(target=_process, args=(url, changes, processes, number, clients, barrier, counts))
        for number in range(processes)
    ]
    for worker in workers:
        worker.start()
    barrier.wait()
    with stopwatch.measuring(0):
        barrier.wait()
    stopwatch.events += sum(counts.get() for _ in workers)
    for worker in workers:
        worker.join()


def in_batches(stopwatch: Stopwatch, url: str, changes: int) -> None:
    """Record 1,000 changes per call."""
    workload = Workload()
    plane = workload.installed(url)
    requests = workload.changes(AT_ONCE + changes)
    recorded(plane.execute_all(requests[:AT_ONCE], ACTOR))
    with stopwatch.measuring(0):
        for first in range(AT_ONCE, len(requests), AT_ONCE):
            stopwatch.events += recorded(plane.execute_all(requests[first : first + AT_ONCE], ACTOR))
    plane.database.close()


def at_once(items: Sequence[T], clients: int, do: Callable[[T], int]) -> list[int]:
    """Do something with every item from so many threads, and return what each thread's came to; one error is raised."""
    sums, errors = [0] * clients, list[BaseException]()

    def client(number: int) -> None:
        try:
            for item in items[number::clients]:
                sums[number] += do(item)
        except BaseException as error:  # noqa: BLE001, raised below
            errors.append(error)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return sums


def _process(url: str, changes: int, processes: int, number: int, clients: int, barrier: Barrier, counts: Any) -> None:
    """One of several processes; breaks the barrier if it fails, so that none waits for it."""
    try:
        warm, timed = _divided(Workload().changes(WARM_UP + changes))
        plane = ControlPlane(open_database(url), ROOT_KEY, cost=TEST_COST)
        at_once(warm[number::processes], clients, _executing(plane))
        barrier.wait()
        count = sum(at_once(timed[number::processes], clients, _executing(plane)))
        barrier.wait()
        counts.put(count)
        plane.database.close()
    except BaseException:
        barrier.abort()
        raise


def _divided(requests: Sequence[Request]) -> tuple[Sequence[Request], Sequence[Request]]:
    return requests[:WARM_UP], requests[WARM_UP:]


def _executing(plane: ControlPlane) -> Callable[[Request], int]:
    return lambda request: recorded([plane.execute(request, ACTOR)])
