"""Comparison: whether what was rebuilt is what was backed up, by every measure that the backup carries."""

from dataclasses import dataclass

from domain.errors import Corrupt
from infra.backup.manifest import Manifest
from infra.backup.rebuild import Rebuilt
from projections.version import FOLD_GENERATION


@dataclass(frozen=True, slots=True)
class Measure:
    """One comparison: `result` is `equal`, or why it could not be made."""

    name: str
    expected: str
    found: str
    result: str


def compare(rebuilt: Rebuilt, of: Manifest) -> list[Measure]:
    """Return every comparison; Corrupt if one that can be made finds a difference. None is left out in silence."""
    root = of.opened_checkpoint().root
    if rebuilt.position < of.last:
        reason = (
            f"not made: the state of position {rebuilt.position} was asked for, the backup states that of {of.last}"
        )
        return [
            _root_beyond(rebuilt, root),
            Measure("state digest", of.state_digest, rebuilt.digest.to_bytes().hex(), reason),
        ]
    return [
        _equal("position", str(of.last), str(rebuilt.position)),
        _equal("merkle root", root.hex(), rebuilt.frontier.root().hex()),
        _digest(rebuilt, of),
    ]


def _root_beyond(rebuilt: Rebuilt, root: bytes) -> Measure:
    """The records were read on to the backup's end, where the root was checked, unless it is damaged there."""
    if rebuilt.beyond.damage:
        return Measure("merkle root of all records", root.hex(), "", f"not made: {rebuilt.beyond.damage}")
    return Measure("merkle root of all records", root.hex(), root.hex(), "equal")


def _digest(rebuilt: Rebuilt, of: Manifest) -> Measure:
    found = rebuilt.digest.to_bytes().hex()
    if of.fold_generation != FOLD_GENERATION:
        reason = f"not made: the backup has fold generation {of.fold_generation}, this release {FOLD_GENERATION}"
        return Measure("state digest", of.state_digest, found, reason)
    return _equal("state digest", of.state_digest, found)


def _equal(name: str, expected: str, found: str) -> Measure:
    if expected != found:
        raise Corrupt(
            f"the rebuilt {name} is {found}, the backup says {expected}: the backup is not what was backed up"
        )
    return Measure(name, expected, found, "equal")
