"""Sabotage: what an attacker who holds the deployment's own keys could do to its backups.

Such a one can make everything agree with everything else, because the backup is made anew by Resurgam's own hand.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from infra.backup import keyring_file, lines_file, memory, rebuild, run, segment
from infra.backup.age import read_identity_file
from infra.backup.keyring_file import Contents
from infra.backup.manifest import EndorsementEntry, Manifest, origin
from infra.backup.rebuild import Limit
from infra.backup.repository import Repository
from infra.backup.segment import OpenerOf
from infra.backup.stores.url import open_store
from infra.control_plane import store
from infra.control_plane.clock import host_clock
from infra.database.url import open_database
from infra.keys.root_key import FileRootKey, RootKey
from infra.keys.signer import Signer
from infra.log import head
from infra.log.page import paged
from infra.log.record import Recorded, decode_record, frame, unframe
from scripts.estate.access import CONTRIBUTOR


@dataclass(frozen=True, slots=True)
class Scene:
    """Where the backups are, and the keys that the attacker holds: the identity, and those in the cloud's folder."""

    repository: Path
    identity: Path
    folder: Path
    store: str


@dataclass
class Loot:
    """A backup, opened, and whatever is needed to make it anew."""

    manifest: Manifest
    records: list[bytes]
    keys: Contents
    signer: Signer
    endorsements: Sequence[EndorsementEntry]
    root_key: RootKey

    def forge(self, scene: Scene) -> None:
        """Put a backup of what is held here into the place of all backups."""
        shutil.rmtree(scene.repository)
        forged = Repository.open_or_create(open_store(f"file://{scene.repository}", create=True))
        database = open_database(f"sqlite:///{scene.folder}/forged.db", create=True)
        try:
            with database.write() as session:
                store.create(session)
                rebuilt = rebuild.rebuild(session, paged(self.records), Limit(), None)
                rebuild.put_keys(session, rebuilt, self.keys, self.root_key)
                opened = replace(
                    head.NEW,
                    deployment=self.manifest.deployment,
                    epoch=self.manifest.epoch,
                    position=rebuilt.position,
                    recorded_at=rebuilt.recorded_at_us,
                    frontier=rebuilt.frontier,
                    digest=rebuilt.digest,
                    mode=head.OPEN,
                )
                head.write(session, opened)
                memory.put_signer(session, self.signer, self.root_key)
                for endorsement in self.endorsements:
                    memory.put_endorsement(session, endorsement)
            run.run(database, self.root_key, forged, host_clock)
        finally:
            database.close()


def _loot(scene: Scene) -> Loot:
    repository = Repository.open(open_store(f"file://{scene.repository}"))
    [deployment] = repository.deployments()
    newest = repository.newest(deployment)
    assert newest is not None
    opener_of = OpenerOf(lines_file.with_identities(read_identity_file(scene.identity)))
    root_key = FileRootKey.load(scene.folder / "resurgam.root-key")
    path = scene.store if "postgresql" in scene.store else f"sqlite:///{scene.folder}/resurgam.db"
    database = open_database(path)
    try:
        with database.read() as session:
            signer, endorsements = memory.get_signer(session, root_key), memory.endorsements(session)
    finally:
        database.close()
    return Loot(
        newest.manifest,
        [record for page in segment.read_all(repository, newest.manifest, opener_of) for record in page.records],
        keyring_file.read_all(repository, newest.manifest, opener_of),
        signer,
        endorsements,
        root_key,
    )


def drop_keyring_entry(scene: Scene) -> None:
    """Leave out the key of one value that is still in use, and sign the result with the real signer."""
    loot = _loot(scene)
    loot.keys.live.popitem()
    loot.forge(scene)


def drop_assignment(scene: Scene) -> None:
    """Leave out one role assignment, as if it had never been made, and sign the result with the real signer."""
    loot = _loot(scene)
    dropped = next(r.position for r in map(decode_record, loot.records) if _is_landmark(r))
    loot.records = list(_without(loot.records, dropped))

    def shifted(position: int) -> int:
        return position - (position > dropped)

    live = {key_id: (key, shifted(added)) for key_id, (key, added) in loot.keys.live.items()}
    shredded = {key_id: (shifted(added), shifted(at)) for key_id, (added, at) in loot.keys.shredded.items()}
    loot.keys = Contents(live, shredded)
    loot.forge(scene)


def drop_segment(scene: Scene) -> None:
    """Delete a segment that the newest manifest names; this needs no key."""
    min(scene.repository.glob("*/segments/*")).unlink()


def re_sign(scene: Scene) -> None:
    """Sign everything anew with a key of the attacker's own, which nobody endorsed."""
    loot = _loot(scene)
    loot.signer = Signer.generate(origin(loot.manifest.deployment))
    loot.forge(scene)


def _is_landmark(recorded: Recorded) -> bool:
    """Whether this is the assignment of Contributor by which a department works in a tenant's resource group."""
    event = recorded.event
    if event["type"] != "role-assignment.created":
        return False
    payload = event["payload"]
    return bool(payload["roleDefinitionId"].endswith(CONTRIBUTOR) and payload["scope"].endswith("/resourceGroups/main"))


def _without(records: list[bytes], dropped: int) -> Iterator[bytes]:
    """Yield the records without one, those after it moved up by one position."""
    for record in records:
        inner, position, recorded_at = unframe(record)
        if position < dropped:
            yield record
        elif position > dropped:
            yield frame(inner, position - 1, recorded_at)


SABOTAGES: dict[str, Callable[[Scene], None]] = {
    "drop-keyring-entry": drop_keyring_entry,
    "drop-assignment": drop_assignment,
    "drop-segment": drop_segment,
    "re-sign": re_sign,
}
