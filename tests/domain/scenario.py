"""Given events, when a command, then events: the language of the domain's tests."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from domain.command import Command, Prepared
from domain.control_plane import decide
from domain.errors import Refused
from domain.event import Event, State
from domain.instant import plus_days
from domain.resource import Resource
from domain.resource_id import fold
from domain.sealed_value import SealedValue
from projections.current import Current
from projections.version import change

NOW = "2026-11-03T14:00:00.000000Z"


def encode(state: State) -> bytes:
    """Return canonical JSON, by the standard library."""
    return json.dumps(state, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sealed(purpose: str, key: str = "k1") -> SealedValue:
    """Return a sealed value whose ciphertext opens nowhere; decisions never look inside."""
    return SealedValue(sealed=1, keyId=key, purpose=purpose, version="v", nonce="AAAA", ciphertext="AAAA")


class ControlPlane:
    """A control plane in memory, `days` after NOW."""

    def __init__(self) -> None:
        self.world = Current()
        self.position = 0
        self.drawn = 0
        self.now = NOW

    def given(self, *happened: Event | Command) -> "ControlPlane":
        """Apply events as they are; decide commands and apply what they cause."""
        for item in happened:
            self._apply([item] if isinstance(item, Event) else self._decide(item, {}, {}))
        return self

    def after_days(self, days: int) -> "ControlPlane":
        """Let time pass."""
        self.now = plus_days(self.now, days)
        return self

    def when(self, command: Command, *, sealed: dict[str, SealedValue] | None = None, facts: dict[str, Any] | None = None) -> list[Event]:
        """Decide the command, apply its events and return them."""
        events = self._decide(command, sealed or {}, facts or {})
        self._apply(events)
        return events

    def refuses(self, command: Command, rule: str, **prepared: Any) -> Refused:
        """Expect that exactly this rule refuses the command, and return the refusal."""
        with pytest.raises(Refused) as caught:
            self.when(command, **prepared)
        assert caught.value.rule == rule, caught.value
        assert caught.value.resource, "a refusal names the resource"
        return caught.value

    def state(self, resource_id: str) -> Any:
        """Return the state of a resource, None if it does not exist."""
        found = self.find(resource_id)
        return None if found is None else found.state

    def find(self, resource_id: str) -> Resource | None:
        """Return the resource, None if it does not exist."""
        return self.world.find(resource_id)

    def fresh_id(self) -> str:
        """Return the UUID that the next decision will be given."""
        return f"00000000-0000-4000-8000-{self.drawn + 1:012d}"

    def _decide(self, command: Command, sealed: dict[str, SealedValue], facts: dict[str, Any]) -> list[Event]:
        fresh = self.fresh_id()
        self.drawn += 1
        return decide(self.world, self.now, Prepared(fresh, sealed, facts), command)

    def _apply(self, events: Sequence[Event]) -> None:
        for event in events:
            self.position += 1
            before = self.world.version(fold(event.resource))
            self.world.apply(change(before, self.position, [event], encode))
