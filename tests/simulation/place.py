"""A place for a repository in memory, what is wrong with it, and the ways there, each with troubles of its own."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import BinaryIO, TypeVar

from domain.errors import Conflict, NotFound, Unavailable, WrongKey
from infra.backup import layout
from infra.backup.stores.store import Capabilities, check_name, check_prefix
from tests.observed_store import Crash

LOCATION = "memory://backups"
READS = ("get", "open")
PUTS = ("put_new",)
ONCE = ("torn", "misread", "meanwhile")

Result = TypeVar("Result")

TROUBLES = ("crash before", "crash after", "torn", "full", "away", "unheard", "forbidden", "misread", "meanwhile")
"""What may happen on the way: see `Way`."""


@dataclass
class Place:
    """What is there, and in `truth` what would be if nobody but its writers had touched it."""

    objects: dict[str, bytes] = field(default_factory=dict)
    truth: dict[str, bytes] = field(default_factory=dict)
    healed: set[str] = field(default_factory=set)
    """What was harmed at some time, and is well again."""

    def harm(self, prefix: str = "") -> dict[str, str]:
        """What is `missing`, `changed` or `foreign` among the names that start so."""
        found = {name: "missing" for name in self.truth if name not in self.objects}
        for name, data in self.objects.items():
            if name not in self.truth:
                found[name] = "foreign"
            elif self.truth[name] != data:
                found[name] = "changed"
        return {name: found[name] for name in sorted(found) if name.startswith(prefix)}

    def heal(self, name: str) -> None:
        """Bring an object back from a copy, or remove what is foreign."""
        self.healed.add(name)
        if name in self.truth:
            self.objects[name] = self.truth[name]
        else:
            self.objects.pop(name, None)

    def put(self, name: str, data: bytes) -> None:
        """Create an object as a writer does."""
        assert name not in self.objects, f"{name} would have been overwritten"
        expected = layout.object_sha256(name)
        assert expected is None or sha256(data).hexdigest() == expected, f"{name} does not hold what its name says"
        self.objects[name] = self.truth[name] = data

    def torn(self, name: str, data: bytes) -> None:
        """Keep a part of what a writer put, as a place does that promises too much."""
        self.truth[name], self.objects[name] = data, data[: len(data) // 2]

    def remove(self, name: str) -> None:
        """Delete an object as a writer does."""
        del self.objects[name]
        self.truth.pop(name, None)


@dataclass
class Trouble:
    """What happens at a call, counted from 1, or at the first one after it to which it can; some lasts."""

    kind: str
    at: int
    calls: int = 1
    meanwhile: Callable[[], None] | None = None
    happened: str = ""

    def __str__(self) -> str:
        return f"{self.kind} at {self.happened or f'call {self.at}, which it did not come to'}"

    def hits(self, call: int, method: str) -> bool:
        """Whether this call is one of those."""
        if call < self.at:
            return False
        if self.kind in ONCE:
            able = {"torn": PUTS, "misread": READS}.get(self.kind, (method,))
            return not self.happened and method in able
        if self.kind == "full":
            return method in PUTS
        return self.kind not in ("away", "unheard") or call < self.at + self.calls


class Way:
    """A store (see `Store`) as one process sees it.

    `crash`: the process ends before or after the call. `torn`: half of the object is kept, and the process ends.
    `full`: no room for any object from then on. `away`: nobody answers for some calls. `unheard`: the call is done, and
    its answer lost. `forbidden`: the credentials are refused from then on. `misread`: one bit is read wrong, once.
    `meanwhile`: somebody else does something first.
    """

    def __init__(self, place: Place, chance: Random, trouble: Trouble | None = None) -> None:
        self._place = place
        self._chance = chance
        self._trouble = trouble
        self._calls = 0

    @property
    def location(self) -> str:
        return LOCATION

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(retention=False, versions=False, free_bytes=None)

    def put_new(self, name: str, data: bytes) -> None:
        check_name(name)
        self._do("put_new", name, lambda kind: self._put(kind, name, data))

    def put_file_new(self, name: str, path: Path) -> None:
        self.put_new(name, path.read_bytes())

    def get(self, name: str, *, start: int = 0, length: int | None = None) -> bytes:
        data = self._read("get", name)[start:]
        return data if length is None else data[:length]

    def open(self, name: str) -> BinaryIO:
        return io.BytesIO(self._read("open", name))

    def list(self, prefix: str = "", *, after: str = "") -> Iterator[str]:
        check_prefix(prefix)
        found = self._do("list", prefix, lambda _: sorted(self._place.objects))
        return iter([name for name in found if name > after and name.startswith(prefix)])

    def head(self, name: str) -> int:
        return len(self._read("head", name))

    def written_at(self, name: str) -> datetime:
        self._read("written_at", name)
        return datetime.fromtimestamp(0, UTC)

    def delete(self, name: str) -> None:
        check_name(name)
        self._do("delete", name, lambda _: self._place.remove(self._there(name)))

    def sweep(self) -> int:
        return 0

    def _there(self, name: str) -> str:
        if name not in self._place.objects:
            raise NotFound(f"{LOCATION} has no object {name}")
        return name

    def _put(self, kind: str, name: str, data: bytes) -> None:
        if name in self._place.objects:
            raise Conflict(f"{LOCATION} already has an object {name}, which is never overwritten")
        if kind == "torn":
            self._place.torn(name, data)
            raise Crash(f"torn {name}")
        self._place.put(name, data)

    def _read(self, method: str, name: str) -> bytes:
        check_name(name)

        def read(kind: str) -> bytes:
            data = self._place.objects[self._there(name)]
            return flipped(data, self._chance) if kind == "misread" else data

        return self._do(method, name, read)

    def _do(self, method: str, name: str, act: Callable[[str], Result]) -> Result:
        """Do a call, with the trouble that it has."""
        self._calls += 1
        trouble = self._trouble
        if trouble is None or not trouble.hits(self._calls, method):
            return act("")
        trouble.happened = trouble.happened or f"call {self._calls}, {method} {name}"
        match trouble.kind:
            case "crash before":
                raise Crash(f"before {method} {name}")
            case "forbidden":
                raise WrongKey(f"{LOCATION}: the credentials have expired")
            case "full" | "away":
                raise Unavailable(f"{LOCATION} is {trouble.kind}")
            case "meanwhile":
                assert trouble.meanwhile is not None
                trouble.meanwhile()
        result = act(trouble.kind)
        match trouble.kind:
            case "crash after":
                raise Crash(f"after {method} {name}")
            case "unheard":
                raise Unavailable(f"{LOCATION}: the answer was lost")
        return result


def flipped(data: bytes, chance: Random) -> bytes:
    """One bit is another one, if there is any."""
    if not data:
        return data
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


def harm_one(place: Place, chance: Random, name: str) -> str:
    """Change, cut, empty, lengthen or remove an object, and say what was done."""
    data = place.objects[name]
    how = chance.choice(("flip", "cut", "zero", "empty", "append", "remove"))
    if how == "remove":
        del place.objects[name]
        return how
    place.objects[name] = {
        "flip": flipped(data, chance),
        "cut": data[: chance.randrange(max(1, len(data)))],
        "zero": bytes(len(data)),
        "empty": b"",
        "append": data + b"\n",
    }[how]
    return how
