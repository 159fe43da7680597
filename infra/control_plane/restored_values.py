"""Restored values: the sealed values of states that come back from a backup, and the keys that they need.

A key that was destroyed stays destroyed. If a backup still holds it, the value is sealed again under a fresh one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from domain.altered_world import Alteration
from domain.errors import Corrupt, NotFound
from domain.sealed_value import SealedValue, key_ids, sealed_values
from infra.backup import keyring_file
from infra.backup.keyring_file import Contents
from infra.backup.repository import Repository, Stored
from infra.backup.segment import OpenerOf
from infra.database.session import Session
from infra.keys import keyring
from infra.keys.root_key import RootKey
from infra.keys.sealing import DataKey, seal, unseal


class BackupKeys:
    """The keys that a backup holds, and those that only an earlier one of its deployment has, down to a position."""

    def __init__(self, repository: Repository, stored: Stored, opener_of: OpenerOf, position: int) -> None:
        self._repository = repository
        self._stored = stored
        self._opener_of = opener_of
        self._position = position
        self._contents = keyring_file.read_all(repository, stored.manifest, opener_of)
        self._earliest: Contents | None = None

    def find(self, key_id: str) -> DataKey | None:
        """Return a key; None if no backup that is there has it any more."""
        found = self._contents.live.get(key_id) or self._from_earliest().live.get(key_id)
        return None if found is None else found[0]

    def shredded_at(self, key_id: str) -> int:
        """Return where a key was destroyed, 0 if the backup does not know."""
        return self._contents.shredded.get(key_id, (0, 0))[1]

    def _from_earliest(self) -> Contents:
        """Return the keyring of the first backup that covers the position: each later one has fewer of its keys."""
        if self._earliest is None:
            self._earliest = next(self._readable(), self._contents)
        return self._earliest

    def _readable(self) -> Iterator[Contents]:
        for stored in reversed(list(self._covering())):
            try:
                yield keyring_file.read_all(self._repository, stored.manifest, self._opener_of)
            except Corrupt:  # superseded, and deleted after its grace
                continue

    def _covering(self) -> Iterator[Stored]:
        """Yield the backups before this one that reach the position, newest first."""
        of = self._stored.manifest
        for name in reversed(self._repository.manifest_names(of.deployment)):
            try:
                stored = self._repository.read(name)
            except (Corrupt, NotFound):
                continue
            if stored.manifest.last < self._position:
                return
            if stored.manifest.sequence < of.sequence and stored.manifest.verifier == of.verifier:
                yield stored


class Values:
    """The values of alterations, in the transaction that reads or changes the live keyring."""

    def __init__(self, session: Session, root_key: RootKey, keys: BackupKeys) -> None:
        self._session = session
        self._root_key = root_key
        self._keys = keys
        self.data_keys: list[DataKey] = []
        """The keys that the sealed values of alterations need and the live keyring lacks; see `sealed_again`."""

    def kept(self, one: Alteration) -> Alteration:
        """Return the alteration with those sealed values as they are which hold the same under another key."""
        if one.before is None or one.after is None or not any(sealed_values(one.after)):
            return one
        return one._replace(after=self._kept(one.before, one.after, one.id))

    def _kept(self, before: Any, after: Any, resource: str) -> Any:
        if _is_sealed(before) and _is_sealed(after):
            return before if self._are_same(before, after, resource) else after
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            return {name: self._kept(before.get(name), value, resource) for name, value in after.items()}
        return after

    def _are_same(self, before: SealedValue, after: SealedValue, resource: str) -> bool:
        key = self._keys.find(after["keyId"])
        if before["keyId"] == after["keyId"] or before["purpose"] != after["purpose"] or key is None:
            return before == after
        try:
            now = keyring.open_sealed(
                self._session, self._root_key, before, purpose=before["purpose"], resource=resource
            )
        except NotFound:  # a recovery brought the state back, and not its value
            return False
        return now == unseal(after, key, purpose=after["purpose"], resource=resource)

    def lost(self, one: Alteration) -> str | None:
        """Return why a state cannot come back, if a value of it was destroyed in all backups as well."""
        for sealed in _new(one):
            if self._keys.find(sealed["keyId"]) is None:
                position = self._keys.shredded_at(sealed["keyId"])
                return f"its value was destroyed at position {position}, and no backup that is here holds it any more"
        return None

    def fate(self, alterations: Sequence[Alteration]) -> tuple[list[tuple[str, int]], list[str]]:
        """Return whose values were destroyed and come back, with the positions, and whose values would be destroyed."""
        brought_back = [(one.id, row.shredded_at) for one in alterations for row in self._shredded(one)]
        destroyed = [one.id for one in alterations if set(key_ids(one.before)) - set(key_ids(one.after))]
        return brought_back, destroyed

    def _shredded(self, one: Alteration) -> Iterator[keyring.WrappedKey]:
        rows = (keyring.find(self._session, sealed["keyId"]) for sealed in _new(one))
        return (row for row in rows if row is not None)

    def sealed_again(self, one: Alteration) -> Alteration:
        """Return the alteration with sealed values that have a key, which is kept for recording it.

        A key that the live keyring never had is taken over; one that it destroyed is replaced.
        """
        if one.after is None or not any(_new(one)):
            return one
        known = frozenset(key_ids(one.before))
        return one._replace(after=self._sealed_again(one.after, one.id, known))

    def _sealed_again(self, value: Any, resource: str, known: Iterable[str]) -> Any:
        if _is_sealed(value):
            return value if value["keyId"] in known else self._with_key(cast(SealedValue, value), resource)
        if isinstance(value, Mapping):
            return {name: self._sealed_again(member, resource, known) for name, member in value.items()}
        return value

    def _with_key(self, sealed: SealedValue, resource: str) -> SealedValue:
        key = self._keys.find(sealed["keyId"])
        row = keyring.find(self._session, sealed["keyId"])
        if key is None or (row is not None and row.is_live):
            raise Corrupt(f"the key {sealed['keyId']} of {resource} is not where it should be: verify the log")
        plaintext = unseal(sealed, key, purpose=sealed["purpose"], resource=resource)
        if row is not None:
            sealed, key = seal(plaintext, purpose=sealed["purpose"], resource=resource, version=sealed["version"])
        self.data_keys.append(key)
        return sealed


def _is_sealed(value: object) -> bool:
    return isinstance(value, Mapping) and "sealed" in value and "keyId" in value


def _new(one: Alteration) -> Iterator[SealedValue]:
    """Yield the sealed values that the state after has and the one before has not."""
    known = frozenset(key_ids(one.before))
    return (sealed for sealed in sealed_values(one.after) if sealed["keyId"] not in known)
