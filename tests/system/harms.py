"""Harms to backups that one check alone can find: all else is signed anew and agrees, by the deployment's own keys."""

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from infra.backup import endorsement, layout, manifest
from infra.backup.age import AgeIdentity
from infra.backup.manifest import EndorsementEntry, Manifest, SegmentEntry
from infra.backup.verification import Expectation
from infra.canonical_json import encode
from infra.control_plane.recovery import Wish
from infra.keys import base64_text
from infra.keys.signer import Signer
from infra.log import checkpoint
from infra.log.checkpoint import Checkpoint
from tests.attestations import attest
from tests.backup_estate import FIRST_USE, IDENTITY, OTHER_IDENTITY, Estate, records_of
from tests.forgery import forged, holding, re_signed, resealed, stranger

OTHER = "00000000-0000-4000-8000-000000000000"
REFUSED, NOT_FOUND, CORRUPT, WRONG_KEY = 3, 4, 6, 7


@dataclass
class Scene:
    """A copy of a deployment and its backups, to be harmed, and what its readers ask for."""

    made: Estate
    root: Path
    signer: Signer
    wish: Wish = FIRST_USE
    expect: Expectation | None = None
    identity: AgeIdentity = IDENTITY

    @property
    def newest(self) -> Manifest:
        return self.made.newest

    def path(self, name: str) -> Path:
        return self.root / name

    def forge(self, **changes: object) -> None:
        """Sign the newest manifest anew, with other members."""
        forged(self.root, self.newest.model_copy(update=changes), self.signer)

    def reseal(self, edit: Callable[[dict[str, object]], object]) -> None:
        """Sign the newest manifest anew, with members that the model would not write."""
        path = self.path(self.newest.name)
        path.write_bytes(resealed(path.read_bytes(), edit, self.signer))  # type: ignore[arg-type]  # what it returns is left

    def hold(self, records: list[bytes]) -> None:
        """Put a backup of other records into the place of the newest."""
        forged(self.root, holding(self.root, self.newest, records, IDENTITY, self.signer), self.signer)

    def records(self) -> list[bytes]:
        return records_of(self.made.database)

    def swap(self, path: Path, other: Path) -> None:
        path.write_bytes(other.read_bytes())


Harm = Callable[[Scene], object]
BOTH, RUN = ("verify", "recover"), ("run",)


def empty_repository(scene: Scene) -> None:
    shutil.rmtree(scene.root)
    scene.root.mkdir()


def renumbered(record: bytes, position: int) -> bytes:
    return re.sub(rb'"position":\d+,', b'"position":%d,' % position, record)


def timed(record: bytes, recorded_at: str) -> bytes:
    return re.sub(rb'"recorded_at":"[^"]*"', b'"recorded_at":"' + recorded_at.encode() + b'"', record)


def hold_swapped(scene: Scene) -> None:
    records = scene.records()
    records[3], records[4] = records[4], records[3]
    scene.hold(records)


def hold_back_in_time(scene: Scene) -> None:
    records = scene.records()
    records[3] = timed(records[3], "2001-01-01T00:00:00.000000Z")
    scene.hold(records)


def hold_half_a_command(scene: Scene) -> None:
    *records, last = scene.records()
    scene.hold([*records, re.sub(rb'"count":(\d+),', lambda found: b'"count":%d,' % (int(found[1]) + 1), last)])


def hold_fewer(scene: Scene) -> None:
    of = holding(scene.root, scene.newest, scene.records()[:18], IDENTITY, scene.signer)
    forged(scene.root, of.model_copy(update={"keyring": ()}), scene.signer)


def garbage_between(scene: Scene) -> None:
    """At a number that the next manifest passes over without a word."""
    stored = scene.made.repository.newest(scene.made.deployment)
    assert stored is not None
    number = stored.manifest.sequence
    scene.path(layout.manifest(scene.made.deployment, number + 1)).write_bytes(b"?")
    later = stored.manifest.model_copy(update={"sequence": number + 2, "previous": stored.sha256})
    forged(scene.root, later, scene.signer)


def go_on_elsewhere(scene: Scene) -> None:
    """Put a next manifest that leaves out the one which this deployment wrote last."""
    later = scene.newest.model_copy(update={"sequence": scene.newest.sequence + 1, "previous": "0" * 64})
    forged(scene.root, later, scene.signer)


def lose_what_an_earlier_backup_needs(scene: Scene) -> None:
    """Put a next manifest that does without the last keyring file, and remove that."""
    stored = scene.made.repository.newest(scene.made.deployment)
    assert stored is not None
    of = stored.manifest
    [base, *_] = of.keyring
    later = {"sequence": of.sequence + 1, "previous": stored.sha256, "keyring": (base,)}
    forged(scene.root, of.model_copy(update=later), scene.signer)
    scene.path(of.keyring[-1].name(of.deployment)).unlink()


def hold_others_than_told(scene: Scene) -> None:
    newest = scene.newest
    records = scene.records()
    records[4] = records[4].replace(b'"host-1"', b'"host-2"')
    [entry] = holding(scene.root, newest, records, IDENTITY, scene.signer).segments
    scene.forge(segments=(entry.model_copy(update={"frontier": newest.segments[-1].frontier}),))


def hold_a_wrong_last_position(scene: Scene) -> None:
    records = scene.records()
    records[-1] = renumbered(records[-1], 99)
    scene.hold(records)


def checkpoint_of(scene: Scene, **changes: object) -> None:
    told = scene.newest.opened_checkpoint()
    members = {"origin": told.origin, "size": told.size, "root": told.root, **changes}
    scene.forge(checkpoint=checkpoint.sign(Checkpoint(**members), scene.signer))  # type: ignore[arg-type]  # by name


def empty_segment(of: Manifest) -> SegmentEntry:
    return of.segments[-1].model_copy(update={"first": of.last + 1})


def sign_by(scene: Scene, signer: Signer) -> None:
    forged(scene.root, re_signed(scene.newest, signer), signer)


def forge_endorsement(scene: Scene) -> None:
    other = stranger(scene.made.deployment)
    fingerprint = endorsement.endorse(IDENTITY, other.verifier).fingerprint
    mac = base64_text.encode(bytes(32))
    scene.forge(endorsements=(EndorsementEntry(fingerprint=fingerprint, mac=mac),))


def attest_falsely(scene: Scene) -> None:
    path = scene.path(attest(scene.made, 3, scene.newest.created_at))
    path.write_bytes(path.read_bytes()[:-3] + b"\n")


def set_back(scene: Scene, *numbers: int) -> None:
    for number in numbers:
        scene.path(layout.manifest(scene.made.deployment, number)).unlink()


def wish(**changes: object) -> Harm:
    def harm(scene: Scene) -> None:
        scene.wish = replace(scene.wish, **changes)  # type: ignore[arg-type]  # by name

    return harm


def expect(size: int) -> Harm:
    def harm(scene: Scene) -> None:
        scene.expect = Expectation(size, bytes(32))

    return harm


def edit_record(scene: Scene) -> None:
    with scene.made.database.write() as session:
        [(record,)] = session.execute("SELECT record FROM events WHERE position = 21")
        changed = timed(record, "2001-01-01T00:00:00.000000Z")
        session.execute("UPDATE events SET record = ? WHERE position = 21", (changed,))
        session.execute("DELETE FROM local_facts WHERE name LIKE 'last-manifest/%'")


def forget_backups(scene: Scene) -> None:
    """Set the store back behind its backups."""
    with scene.made.database.write() as session:
        session.execute("DELETE FROM local_facts WHERE name LIKE 'last-manifest/%'")
    records = scene.records()
    scene.hold([*records, *(renumbered(records[-1], position) for position in range(23, 33))])


def give_another_identity(scene: Scene) -> None:
    scene.identity = OTHER_IDENTITY


@dataclass(frozen=True, slots=True)
class Check:
    """What a check says, the harm that it alone finds, whom it stops, and their exit code."""

    said: str
    harm: Harm
    stops: tuple[str, ...] = BOTH
    code: int = CORRUPT


CHECKS = (
    # the repository's file
    Check("is not one of format", lambda s: s.path(layout.REPOSITORY_FILE).write_bytes(b"{}\n"), (*BOTH, *RUN)),
    Check("is missing: put it back from a copy", lambda s: s.path(layout.REPOSITORY_FILE).unlink(), (*BOTH, *RUN)),
    Check(
        "belongs to repository",
        lambda s: s.path(layout.REPOSITORY_FILE).write_bytes(encode({"format": 1, "repository": OTHER}) + b"\n"),
        (*BOTH, *RUN),
    ),
    Check("belongs to repository", lambda s: s.forge(repository=OTHER)),
    Check("belongs to repository", lambda s: s.forge(repository_sha256="0" * 64)),
    Check("holds no backup repository", empty_repository, BOTH, NOT_FOUND),
    # a manifest in itself
    Check("is not a signed ", lambda s: s.path(s.newest.name).write_bytes(b"{}\n")),
    Check("is not a signed ", lambda s: _end_with(s.path(s.newest.name), b"X")),
    Check("has a signature that is not base64", lambda s: _cut_signature(s)),
    Check(" of format 1: ", lambda s: s.reseal(lambda value: value.update(format=2))),
    Check("does not re-serialise to itself", lambda s: s.reseal(lambda value: value.pop("format"))),
    Check("does not re-serialise to itself", lambda s: s.reseal(lambda value: value.update(ancestor=None))),
    Check("it was moved", lambda s: s.swap(s.path(s.newest.name), s.made.objects("manifests")[0])),
    Check("the signer of another deployment", lambda s: sign_by(s, Signer.generate(manifest.origin(OTHER)))),
    Check("the checkpoint in", lambda s: checkpoint_of(s, origin=manifest.origin(OTHER))),
    Check("the checkpoint in", lambda s: checkpoint_of(s, size=21)),
    Check("has a checkpoint of another tree", lambda s: checkpoint_of(s, root=bytes(32))),
    Check("jumps from position", lambda s: s.forge(segments=s.newest.segments[1:])),
    Check("jumps from position", lambda s: s.forge(segments=(*s.newest.segments, empty_segment(s.newest)))),
    Check("covers positions up to", lambda s: s.forge(segments=s.newest.segments[:-1])),
    Check("is not base64", lambda s: s.forge(segments=_with_frontier(s, "?"))),
    Check("records", lambda s: s.forge(segments=_with_frontier(s, s.newest.segments[0].frontier))),
    Check("has a keyring for", lambda s: s.forge(keyring=s.newest.keyring[1:])),
    Check("has a keyring for", lambda s: s.forge(keyring=(*s.newest.keyring, _backwards(s)))),
    Check("has keys up to position", lambda s: s.forge(keyring=_beyond(s))),
    # the chain
    Check("earlier ones are missing", lambda s: set_back(s, 1)),
    Check("a manifest between them is missing or was replaced", lambda s: set_back(s, 2)),
    Check("is signed by another signer than", lambda s: sign_by(s, stranger(s.made.deployment))),
    Check("is signed by another signer than", lambda s: s.forge(epoch=OTHER)),
    Check("covers less than", lambda s: s.forge(recorded_at="2001-01-01T00:00:00.000000Z")),
    Check("covers less than", hold_fewer),
    Check("is not a signed ", garbage_between),
    Check("is intact: --accept-damage takes it", lambda s: s.path(s.newest.name).write_bytes(b"?"), ("recover",)),
    # objects
    Check("is missing, but a manifest names it", lambda s: s.made.objects("segments")[0].unlink()),
    Check("is missing, but a manifest names it", lambda s: s.made.objects("keyrings")[0].unlink()),
    Check("the newest backup does without it", lose_what_an_earlier_backup_needs, ("verify",)),
    Check("was changed or cut off", lambda s: _flip(s.made.objects("segments")[0])),
    Check("was changed or cut off", lambda s: _flip(s.made.objects("keyrings")[0])),
    Check("has a name that no backup gives", lambda s: s.path(f"{s.made.deployment}/x").write_bytes(b""), ("verify",)),
    Check("somebody else", lambda s: _stray(s).write_bytes(b"?"), ("verify",)),
    Check("is not valid: ", attest_falsely, ("verify",)),
    # records
    Check("has position", hold_a_wrong_last_position),
    Check("or runs back in time", hold_swapped, ("verify",)),
    Check("or runs back in time", hold_back_in_time, ("verify",)),
    Check("follows position", hold_swapped, ("recover",)),
    Check("was recorded before the position in front of it", hold_back_in_time, ("recover",)),
    Check("with the end of a command", hold_half_a_command),
    Check("holds other records than its manifest says", hold_others_than_told),
    Check("the rebuilt", lambda s: s.forge(state_digest="0" * 128), ("recover",)),
    # keys
    Check("is not the keyring that its manifest says", lambda s: s.forge(keyring=_with_bounds(s))),
    Check("keys, not", lambda s: s.forge(keyring=_with_count(s))),
    Check("no identity opens", give_another_identity, ("verify",), WRONG_KEY),
    Check("is encrypted to", give_another_identity, ("recover",), WRONG_KEY),
    # whom to believe, and what to expect
    Check("nothing proves the signer", wish(trust_first_use=False), ("recover",)),
    Check("that was named: leave it", wish(verifier=stranger(OTHER).verifier), ("recover",)),
    Check("carries a forged endorsement", forge_endorsement, ("recover",)),
    Check("newer manifests are missing", expect(23)),
    Check("has another history than the expected checkpoint", expect(22)),
    Check("has another history than the expected checkpoint", expect(3)),
    Check("which accepts", lambda s: s.forge(release="9.9.9"), ("recover",), REFUSED),
    Check("the backup ends at position", wish(at="23"), ("recover",), REFUSED),
    Check("and knows nothing of", wish(at="2099-01-01T00:00Z"), ("recover",), REFUSED),
    Check("nothing was recorded yet at", wish(at="2001-01-01T00:00Z"), ("recover",), REFUSED),
    # a backup that goes on
    Check("went backwards", lambda s: set_back(s, 3), RUN, REFUSED),
    Check("than this deployment wrote", lambda s: s.forge(created_at="2030-01-01T00:00:00.000000Z"), RUN),
    Check("than this deployment's: somebody else", lambda s: sign_by(s, stranger(s.made.deployment)), RUN),
    Check("than this deployment's: somebody else", lambda s: s.forge(epoch=OTHER), RUN),
    Check("which this deployment wrote: a copy of this deployment writes here too", go_on_elsewhere, RUN),
    Check("leaves no number for another manifest", lambda s: _last_number(s).write_bytes(b"?"), RUN),
    Check("the store was set back", forget_backups, RUN),
    Check("the log no longer agrees with its own backup", edit_record, RUN),
)


def _cut_signature(scene: Scene) -> None:
    path = scene.path(scene.newest.name)
    path.write_bytes(path.read_bytes()[:-2] + b"\n")


def _with_frontier(scene: Scene, frontier: str) -> tuple[SegmentEntry, ...]:
    *before, last = scene.newest.segments
    return (*before, last.model_copy(update={"frontier": frontier}))


def _backwards(scene: Scene) -> object:
    last = scene.newest.keyring[-1]
    return last.model_copy(update={"after": last.until, "until": last.until - 1})


def _beyond(scene: Scene) -> object:
    *before, last = scene.newest.keyring
    return (*before, last.model_copy(update={"until": scene.newest.last + 1}))


def _with_bounds(scene: Scene) -> object:
    *before, second, last = scene.newest.keyring
    moved = second.until - 1
    return (*before, second.model_copy(update={"until": moved}), last.model_copy(update={"after": moved}))


def _with_count(scene: Scene) -> object:
    *before, last = scene.newest.keyring
    return (*before, last.model_copy(update={"keys": last.keys + 1}))


def _end_with(path: Path, end: bytes) -> None:
    path.write_bytes(path.read_bytes()[: -len(end)] + end)


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _stray(scene: Scene) -> Path:
    return scene.path(layout.segment(scene.made.deployment, 1, 2, "0" * 64))


def _last_number(scene: Scene) -> Path:
    return scene.path(layout.manifest(scene.made.deployment, layout.SEQUENCE_MAX))
