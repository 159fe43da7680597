"""Preparing: what a decision may not make itself is made here, before the lock on the log is taken."""

from collections.abc import Callable
from typing import NamedTuple
from uuid import uuid4

from domain.backup_recipient import AddBackupRecipient
from domain.command import Command, Prepared, Sealing
from domain.errors import ResurgamError
from domain.resource import World
from domain.sealed_value import SealedValue
from infra.backup.age import X509Recipient, fingerprint, parse_recipient
from infra.control_plane.x509 import CERTIFICATE_PREPARERS, certificate_facts
from infra.keys.password import STANDARD_COST, Cost, hash_secret
from infra.keys.sealing import DataKey, seal

HASHED_PURPOSES = frozenset({"password-hash", "client-secret-hash"})

OpenSealed = Callable[[SealedValue, str, str], bytes]
"""(sealed value, purpose, resource id) -> plaintext."""


class Preparation(NamedTuple):
    """What a decision is given, and the data keys that its sealed values need once it is recorded."""

    prepared: Prepared
    data_keys: tuple[DataKey, ...] = ()
    refusal: ResurgamError | None = None
    """Why nothing could be prepared. It stands only if the command was not recorded before."""


def needs_world(command: Command) -> bool:
    """Whether preparing reads the state: such a command waits until those before it are recorded."""
    return type(command) in CERTIFICATE_PREPARERS


def prepare(
    command: Command, world: World | None, now: str, open_sealed: OpenSealed | None, *, cost: Cost = STANDARD_COST
) -> Preparation:
    """Draw the fresh id, make what the command asks for, and seal its secrets.

    `world` and `open_sealed` may be None if `needs_world` says no.
    """
    facts: dict[str, object] = {}
    if isinstance(command, AddBackupRecipient):
        recipient = parse_recipient(command.recipient)  # a key that no backup can be sealed to must not reach the log
        if isinstance(recipient, X509Recipient):
            facts = {**certificate_facts(recipient.certificate), "fingerprint": fingerprint(recipient)}
    fresh = str(uuid4())
    preparer = CERTIFICATE_PREPARERS.get(type(command))
    made: dict[str, bytes] = {}
    if preparer is not None:
        assert world is not None
        assert open_sealed is not None
        facts, made = preparer(command, world, now, open_sealed, fresh)
    sealed: dict[str, SealedValue] = {}
    keys: list[DataKey] = []
    for sealing in command.sealings(fresh):
        plaintext = made.get(sealing.field, _given(command, sealing, cost))
        if plaintext is not None:
            sealed[sealing.field], key = seal(
                plaintext, purpose=sealing.purpose, resource=sealing.resource, version=fresh
            )
            keys.append(key)
    return Preparation(Prepared(fresh, sealed, facts), tuple(keys))


def _given(command: Command, sealing: Sealing, cost: Cost) -> bytes | None:
    """Return the value of a secret field, hashed if its purpose says so; None if the command does not give it."""
    value = getattr(command, sealing.field, None)
    if value is None:
        return None
    plaintext: bytes = value.get_secret_value().encode()
    return hash_secret(plaintext, cost=cost).encode() if sealing.purpose in HASHED_PURPOSES else plaintext
