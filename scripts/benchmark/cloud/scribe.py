"""The scribe: writes commands as canonical records, and draws every id, key and ciphertext from one seed.

A record is filled into a template rather than encoded, which is ten times as fast; tests hold that all are canonical.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.instant import from_microseconds
from domain.resource_id import fold
from infra.keys import associated_data, base64_text

BEGIN_US = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z."""

PAUSE_US = 60_000_000
COMMANDS_PER_TRANSACTION = 8
SEALED_VALUE_DOMAIN = "resurgam-sealed-value-1"
"""See docs/reference/keys.md."""


class Resource:
    """A resource that was recorded: its id, how many events it has, and whatever its area remembers of it."""

    __slots__ = ("guid", "id", "is_on", "key", "name", "parent", "parts", "sequence")

    def __init__(self, resource_id: str, guid: str = "", name: str = "", parent: "Resource | None" = None) -> None:
        self.id = resource_id
        self.guid = guid
        self.name = name
        self.parent = parent
        self.parts: list[Resource] = []
        self.key = ""
        self.is_on = True
        self.sequence = 0


@dataclass(slots=True)
class Key:
    """A data key of the history: its secret, and the positions that need it first and no longer (0: still needed)."""

    secret: bytes
    added_at: int
    shredded_at: int = 0


Happening = tuple[str, Resource, str]
"""An event's type, its resource, and its payload as canonical JSON."""


class Scribe:
    """Writes records in order. `records` are those not yet taken, `keys` all data keys by their ids."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311, a history has to be repeatable
        self.position = 0
        self.records: list[bytes] = []
        self.keys: dict[str, Key] = {}
        self._now_us = BEGIN_US
        self._left = 0
        self._instant = self._milliseconds = ""
        self._advance()
        self._actors = self._drawn_actors()

    @property
    def instant(self) -> str:
        """The recorded-at of the transaction that is being written."""
        return self._instant

    @property
    def seconds(self) -> int:
        """The same in seconds since 1970."""
        return self._now_us // 1_000_000

    def write(self, command: str, *happenings: Happening) -> None:
        """Write the events of one command."""
        count = len(happenings)
        digits = self.random.randbytes(48 + 10 * count).hex()
        chance = self.random.random()
        actor = self._actors[int(12 * chance * chance)]
        because = f'"reason":"incident {digits[30:38]}",' if chance < 0.4 else ""
        command_id = _guid(digits)
        correlation = f'"correlation":"{self.guid()}",' if chance < 0.25 else ""
        for index, (name, resource, payload) in enumerate(happenings, 1):
            drawn = digits[76 + 20 * index :]
            event_id = f"{self._milliseconds}{drawn[:3]}-a{drawn[3:6]}-{drawn[6:18]}"
            resource.sequence += 1
            self.position += 1
            record = (
                f'{{"event":{{"actor":{actor},"command":{{"count":{count},"id":"{command_id}","index":{index},'
                f'"name":"{command}","sha256":"{digits[32:96]}"}},{correlation}"format":1,"id":"{event_id}","payload":{payload},'
                f'{because}"resource":"{resource.id}","schema":1,"sequence":{resource.sequence},"type":"{name}"}},'
                f'"position":{self.position},"recorded_at":"{self._instant}"}}'
            )
            self.records.append(record.encode())
        self._left -= 1
        if self._left <= 0:
            self._advance()

    def guid(self) -> str:
        """Draw a GUID."""
        return _guid(self.random.randbytes(16).hex())

    def seal(self, resource: Resource, purpose: str, size_bytes: int, *, event: int = 1) -> str:
        """Return a value sealed for that resource as JSON; the command's event of that number holds it first."""
        drawn = self.random.randbytes(76 + size_bytes)
        key_id, secret, nonce, plaintext = drawn[:16].hex(), drawn[16:48], drawn[48:60], drawn[76:]
        version = _guid(drawn[60:76].hex())
        binding = associated_data.encode(SEALED_VALUE_DOMAIN, purpose, key_id, fold(resource.id), version)
        ciphertext = base64_text.encode_url(AESGCM(secret).encrypt(nonce, plaintext, binding))
        self.keys[key_id] = Key(secret, self.position + event)
        resource.key = key_id
        return (
            f'{{"ciphertext":"{ciphertext}","keyId":"{key_id}","nonce":"{base64_text.encode_url(nonce)}",'
            f'"purpose":"{purpose}","sealed":1,"version":"{version}"}}'
        )

    def shred(self, resource: Resource, *, event: int = 1) -> None:
        """Note that the command's event of that number takes the value that a resource held until now."""
        if resource.key:
            self.keys[resource.key].shredded_at = self.position + event
            resource.key = ""

    def pick(self, pool: Sequence[Resource]) -> Resource:
        """Choose one, more often an early one: a tenth of the resources sees a third of the changes."""
        chance = self.random.random()
        return pool[int(len(pool) * chance * chance)]

    def any(self, pool: Sequence[Resource]) -> Resource:
        """Choose one, all alike."""
        return pool[int(len(pool) * self.random.random())]

    def take(self, pool: list[Resource]) -> Resource:
        """Take one out of a pool, all alike."""
        at = int(len(pool) * self.random.random())
        pool[at], pool[-1] = pool[-1], pool[at]
        return pool.pop()

    def base64(self, size_bytes: int) -> str:
        """Draw bytes that stand for a certificate or the like, in base64."""
        return base64_text.encode(self.random.randbytes(size_bytes))

    def _advance(self) -> None:
        """Begin the next transaction, whose commands share one recorded-at."""
        self._left = 1 + int(COMMANDS_PER_TRANSACTION * self.random.random())
        self._now_us += 1 + int(PAUSE_US * self.random.random())
        self._instant = from_microseconds(self._now_us)
        digits = f"{self._now_us // 1000:012x}"
        self._milliseconds = f"{digits[:8]}-{digits[8:]}-7"

    def _drawn_actors(self) -> list[str]:
        """A dozen: people at a terminal, and the portal for people who logged in to it."""
        actors = []
        for number in range(1, 13):
            principal = f',"principal":"{self.guid()}"' if number % 2 else ""
            established, host = ("token", "portal") if number % 2 else ("os-user", f"host-{number}")
            user = "portal" if number % 2 else f"operator-{number}"
            actors.append(f'{{"established":"{established}","host":"{host}","os_user":"{user}"{principal}}}')
        return actors


def _guid(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-b{digits[17:20]}-{digits[20:32]}"
