"""Survivors: what exists outside after a catastrophe, held against a recovered state (docs/reference/survivors.md)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from domain.resource import Resource
from domain.resource_id import fold, name
from projections.shown import fields, shown
from projections.view import View

EXTERNAL_FIELDS: Mapping[str, str] = {
    "user": "userPrincipalName",
    "service-principal": "appId",
    "ca-root": "thumbprint",
    "issued-certificate": "thumbprint",
    "endpoint-certificate": "thumbprint",
}
"""By which field, beside the last segment of its id, a resource of a kind is known outside."""


@dataclass(frozen=True, slots=True)
class Survivor:
    """One line of an inventory: a resource by its id, or by its kind and an external id, and what is known of it."""

    line: int
    id: str = ""
    kind: str = ""
    external_id: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """How an operator finds it again."""
        return self.id or f"{self.kind} {self.external_id}"


@dataclass(frozen=True, slots=True)
class Inventory:
    """What survived. Of `complete` kinds nothing else did; without any, that holds for those of the lines."""

    survivors: Sequence[Survivor]
    complete: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Drift:
    """A resource whose fields differ: (field, recovered, survived), or None for both where a value is sealed."""

    resource: str
    fields: Sequence[tuple[str, Any, Any]]


@dataclass(slots=True)
class Findings:
    """How an inventory and a state differ.

    `phantom` is in the state and did not survive, `unknown` survived and is not in the state.
    """

    matched: int = 0
    kinds: tuple[str, ...] = ()
    phantom: list[Resource] = field(default_factory=list)
    unknown: list[Survivor] = field(default_factory=list)
    drifted: list[Drift] = field(default_factory=list)


def compare(view: View, inventory: Inventory) -> Findings:
    """Return the differences, in the order of the lines and of the ids."""
    known = _Known(view)
    findings, seen, kinds = Findings(), set[str](), set(inventory.complete)
    for survivor in inventory.survivors:
        found = known.find(survivor)
        if not inventory.complete and (survivor.kind or found is not None):
            kinds.add(survivor.kind or (found.kind if found is not None else ""))
        if found is None:
            findings.unknown.append(survivor)
            continue
        findings.matched += 1
        seen.add(fold(found.id))
        if differing := list(_differing(found, survivor)):
            findings.drifted.append(Drift(found.id, differing))
    findings.kinds = tuple(sorted(kinds))
    findings.phantom = [
        resource for kind in findings.kinds for resource in view.of_kind(kind) if fold(resource.id) not in seen
    ]
    return findings


class _Known:
    """Finds resources by what they are called outside; each kind is listed once."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._by_kind: dict[str, dict[str, str]] = {}

    def find(self, survivor: Survivor) -> Resource | None:
        if survivor.id:
            found = self._view.find(survivor.id)
            return found if found is None or survivor.kind in ("", found.kind) else None
        ids = self._by_kind.get(survivor.kind)
        if ids is None:
            ids = self._by_kind[survivor.kind] = dict(self._external_ids(survivor.kind))
        resource = ids.get(fold(survivor.external_id))
        return None if resource is None else self._view.find(resource)

    def _external_ids(self, kind: str) -> Iterator[tuple[str, str]]:
        for resource in self._view.of_kind(kind):
            yield fold(name(resource.id)), resource.id
            also = EXTERNAL_FIELDS.get(kind)
            if also is not None and also in resource.state:
                yield fold(str(resource.state[also])), resource.id


def _differing(found: Resource, survivor: Survivor) -> Iterator[tuple[str, Any, Any]]:
    """Yield the fields that differ; the value of one that is sealed, or was given for one, is never repeated."""
    recovered = dict(fields(shown(found.state)))
    sealed = tuple(path.removesuffix("sealed") for path in recovered if path.endswith(".sealed"))
    for path, survived in fields(survivor.fields):
        if any(f"{path}.".startswith(prefix) or prefix.startswith(f"{path}.") for prefix in sealed):
            yield path, None, None
        elif path and recovered.get(path) != survived:
            yield path, recovered.get(path), survived
