"""Given events, when a command, then events: the language of the domain's tests."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from domain.command import Command, Prepared
from domain.control_plane import decide
from domain.errors import Refused
from domain.event import Event, State
from domain.instant import plus_days
from domain.resource import Resource
from domain.resource_id import fold
from domain.sealed_value import SealedValue
from projections.current import Current
from projections.fold import change
from tests.domain.well_formed import check_change, check_event

NOW = "2026-11-03T14:00:00.000000Z"


def encode(state: State) -> bytes:
    """Return canonical JSON, by the standard library."""
    return json.dumps(state, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sealed(purpose: str, key: str = "k1") -> SealedValue:
    """Return a sealed value whose ciphertext opens nowhere; decisions never look inside."""
    return SealedValue(sealed=1, keyId=key, purpose=purpose, version="v", nonce="AAAA", ciphertext="AAAA")


def refused(doing: Callable[[], object]) -> Refused | None:
    """Return what refuses it; None if nothing does."""
    try:
        doing()
    except Refused as refusal:
        return refusal
    return None


class ControlPlane:
    """A control plane in memory, `days` after NOW."""

    def __init__(self) -> None:
        self.world = Current()
        self.position = 0
        self.drawn = 0
        self.now = NOW
        self._touched: set[str] = set()

    def given(self, *happened: Event | Command) -> "ControlPlane":
        """Apply events as they are; decide commands and apply what they cause."""
        for item in happened:
            self._apply([item] if isinstance(item, Event) else self._decide(item, {}, {}))
        return self

    def after_days(self, days: int) -> "ControlPlane":
        """Let time pass."""
        self.now = plus_days(self.now, days)
        return self

    def when(
        self, command: Command, *, sealed: dict[str, SealedValue] | None = None, facts: dict[str, Any] | None = None
    ) -> list[Event]:
        """Decide the command, apply its events and return them."""
        events = self._decide(command, sealed or {}, facts or {})
        self._apply(events)
        return events

    def refuses(self, command: Command, rule: str, **prepared: Any) -> Refused:
        """Expect that exactly this rule refuses the command, and return the refusal."""
        refusal = refused(lambda: self.when(command, **prepared))
        assert refusal is not None, f"{command} was not refused"
        assert refusal.rule == rule, refusal
        assert refusal.resource, "a refusal names the resource"
        return refusal

    def state(self, resource_id: str) -> Any:
        """Return the state of a resource, None if it does not exist."""
        found = self.find(resource_id)
        return None if found is None else found.state

    def find(self, resource_id: str) -> Resource | None:
        """Return the resource, None if it does not exist."""
        return self.world.find(resource_id)

    def resources(self) -> dict[str, Resource]:
        """Return every resource by its folded id."""
        found = {resource: self.find(resource) for resource in sorted(self._touched)}
        return {resource: one for resource, one in found.items() if one is not None}

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
            step = change(before, self.position, [event], encode)
            check_event(event)
            check_change(step)
            self.world.apply(step)
            self._touched.add(step.after.resource)
