"""Benchmarks of replay: records become state again, in memory or compared with a whole store."""

import gc
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import DomainEvent
from eventsourcing.persistence import StoredEvent

from domain.control_plane import evolve
from domain.event import State
from domain.resource_id import fold, originator_id
from infra.canonical_json import encode
from infra.control_plane import log_verification
from infra.database.url import open_database
from infra.log.mapper import present_events
from infra.log.proven import decode_proven
from infra.log.record import decode_record
from projections.fold import change
from projections.version import Version
from scripts.benchmark import store
from scripts.benchmark.benchmark import RATE, Benchmark, Result, Target
from scripts.benchmark.context import Context
from scripts.benchmark.history import records
from scripts.benchmark.restic import RECORDS
from scripts.benchmark.server import connected
from scripts.benchmark.worker import Stopwatch

LIBRARY = "eventsourcing notification log + mapper"
CHAIN = "SHA-256 chain in Python"
PAGE_EVENTS = 5_000


def replayed(stopwatch: Stopwatch, count: int) -> None:
    """Decode every record, upcast it, and evolve the state of its resource."""
    given = list(records(count))
    states: dict[str, State | None] = {}
    with _collector_at_rest(), stopwatch.measuring(count):
        for record in given:
            stored = decode_proven(record).event
            for event in present_events(stored.type, stored.schema, stored.resource, stored.payload):
                resource = fold(event.resource)
                states[resource] = evolve(states.get(resource), event)


def folded(stopwatch: Stopwatch, count: int) -> None:
    """Decode, upcast, evolve, encode each state and follow its links, as a recovery does."""
    given = list(records(count))
    newest: dict[str, Version] = {}
    with _collector_at_rest(), stopwatch.measuring(count):
        for record in given:
            proven = decode_proven(record)
            event = proven.event
            resource = fold(event.resource)
            events = present_events(event.type, event.schema, event.resource, event.payload)
            newest[resource] = change(newest.get(resource), proven.position, events, encode).after


@dataclass(frozen=True)
class Happened(DomainEvent):
    """An event of the library that says what one of ours does."""

    inner: dict[str, Any]


def read_by_library(stopwatch: Stopwatch, count: int) -> None:
    """Read the library's log in memory and map every event; folding them would come on top."""

    class Cloud(Application[UUID]):
        log_section_size = PAGE_EVENTS

    cloud = Cloud(env={"PERSISTENCE_MODULE": "eventsourcing.popo"})
    page: list[StoredEvent] = []
    for record in records(count):
        inner = decode_record(record).event
        originator = UUID(bytes=originator_id(fold(inner["resource"])))
        event = Happened(originator, inner["sequence"], Happened.create_timestamp(), dict(inner))
        page.append(cloud.mapper.to_stored_event(event))
        if len(page) == PAGE_EVENTS:
            cloud.recorder.insert_events(page)
            page = []
    cloud.recorder.insert_events(page)
    with _collector_at_rest(), stopwatch.measuring(count):
        for start in range(1, count + 1, PAGE_EVENTS):
            for notification in cloud.notification_log.select(start, PAGE_EVENTS):
                cloud.mapper.to_domain_event(notification)


def records_verified(stopwatch: Stopwatch, url: str, count: int) -> None:
    """Verify the records of a store."""
    database = open_database(url)
    with stopwatch.measuring(count):
        found = log_verification.verify_records(database)
    database.close()
    if found.position != count:
        raise AssertionError(f"{found.position} records were verified, not {count}")


def verified(stopwatch: Stopwatch, url: str, count: int) -> None:
    """Verify a whole store."""
    database = open_database(url)
    with stopwatch.measuring(count):
        found = log_verification.verify(database)
    database.close()
    if found.head.position != count:
        raise AssertionError(f"{found.head.position} records were verified, not {count}")


def chained(stopwatch: Stopwatch, url: str, count: int) -> None:
    """Read every record and hash it together with the hash before it."""
    with stopwatch.measuring(count):
        link = b""
        for record in _stored(url):
            link = sha256(link + record).digest()


def _stored(url: str) -> Iterator[bytes]:
    if url.startswith("sqlite:///"):
        for (record,) in sqlite3.connect(url.removeprefix("sqlite:///")).execute(RECORDS):
            yield record
        return
    with connected(url) as connection, connection.cursor().copy(f"COPY ({RECORDS}) TO STDOUT (FORMAT binary)") as copy:
        copy.set_types(["bytea"])
        for (record,) in copy.rows():
            yield record


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Keep the cyclic collector from walking through all that is held, for both sides alike."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _replay(context: Context) -> Sequence[Result]:
    count = context.events
    peers = {LIBRARY: lambda: context.work(read_by_library, count=count)}
    return [
        context.in_turn(lambda: context.work(replayed, count=count), peers, case="states"),
        context.in_turn(lambda: context.work(folded, count=count), peers, case="versions and links", targets=[]),
    ]


def _verify(context: Context) -> Sequence[Result]:
    urls = {
        "PostgreSQL": context.filled.postgres(context.events),
        "SQLite": f"sqlite:///{store.sqlite(context.events, context.cache)}",
    }
    only = [_verified(context, f"records, {case}", url, records_verified) for case, url in urls.items()]
    return [*only, *(_verified(context, f"everything, {case}", url, verified) for case, url in urls.items())]


def _verified(context: Context, case: str, url: str, work: Callable[..., None]) -> Result:
    return context.in_turn(
        lambda: context.work(work, url=url, count=context.events),
        {CHAIN: lambda: context.work(chained, url=url, count=context.events)},
        case=case,
    )


BENCHMARKS = (
    Benchmark("replay", "decode, upcast and evolve in memory, one core",
              [Target(RATE, LIBRARY, at_least=2.5), Target(RATE, None, at_least=300_000)], _replay, 200_000),
    Benchmark("log-verify", "verify the records of a store, or records, state, digest and keys",
              [Target(RATE, None, at_least=400_000)], _verify, 1_000_000),
)  # fmt: skip
