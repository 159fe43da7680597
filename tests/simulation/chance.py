"""Chance and time of a simulation: all that is drawn, and all that is asked of a clock, comes from one seed."""

import os
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from domain.instant import from_microseconds
from infra.backup import draft, segment
from infra.backup.age import x25519
from infra.control_plane import clock
from infra.database import sqlite
from infra.log import event_id

BEGAN_US = 1_790_000_000_000_000
LOOK_US = 1_337
"""So much time passes with every look at a clock."""

RECORDS_MAX = 30
"""So small is a full segment."""


@dataclass
class Time:
    """The true time, and by how much the clock of the host that acts is wrong."""

    now_us: int = BEGAN_US
    skew_us: int = 0

    def host_us(self) -> int:
        self.now_us += LOOK_US
        return self.now_us + self.skew_us

    def host_instant(self) -> str:
        return from_microseconds(self.host_us())

    def host_datetime(self, zone: object = UTC) -> datetime:
        return datetime.fromtimestamp(self.host_us() / 1_000_000, UTC)


@dataclass
class Chance:
    """What a simulation draws from: `choices` are its own, the bytes those of the code under test."""

    seed: int
    time: Time = field(default_factory=Time)

    def __post_init__(self) -> None:
        self.choices = Random(f"choices of {self.seed}")
        self._bytes = Random(f"bytes of {self.seed}")

    def draw(self, size: int) -> bytes:
        return self._bytes.randbytes(size)

    def x25519(self) -> X25519PrivateKey:
        return X25519PrivateKey.from_private_bytes(self.draw(32))


@contextmanager
def seeded(seed: int) -> Iterator[Chance]:
    """Take randomness, time and the order of threads away from the code under test, until the context ends."""
    chance = Chance(seed)
    keys = SimpleNamespace(generate=chance.x25519, from_private_bytes=X25519PrivateKey.from_private_bytes)
    times = SimpleNamespace(time_ns=lambda: chance.time.host_us() * 1_000, monotonic=time.monotonic, sleep=time.sleep)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "urandom", chance.draw)
        patch.setattr(random, "_urandom", chance.draw)
        patch.setattr(event_id, "urandom", chance.draw)
        patch.setattr(event_id, "time_ns", times.time_ns)
        patch.setattr(x25519, "X25519PrivateKey", keys)
        patch.setattr(sqlite, "time", times)
        patch.setattr(clock, "datetime", SimpleNamespace(now=chance.time.host_datetime))
        patch.setattr(draft, "ThreadPoolExecutor", AtOnce)
        patch.setattr(segment, "RECORDS_MAX", RECORDS_MAX)
        yield chance


class AtOnce:
    """Does what an executor of threads does, at once."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def submit(self, work: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        done: Future[Any] = Future()
        try:
            done.set_result(work(*arguments))
        except Exception as error:  # noqa: BLE001, whoever asks for the result gets it
            done.set_exception(error)
        return done

    def shutdown(self) -> None:
        pass
