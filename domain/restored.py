"""Restored: the event by which a resource of any kind gets the state back that a backup has of it."""

from typing import Any, Literal

from pydantic import with_config
from typing_extensions import TypedDict

from domain.errors import Refused
from domain.event import STRICT, EventType, Payload, State

SignerTrust = Literal["Endorsed", "Named", "FirstUse"]
"""Why the signer of a backup was believed: the identity's holder endorsed it, the operator named it, or nobody did."""


@with_config(STRICT)
class RestoredFrom(TypedDict):
    """The backup, and the position whose state it gave. `checkpointRoot` is the backup's Merkle root in base64."""

    deploymentId: str
    manifestSequence: int
    checkpointRoot: str
    signerTrust: SignerTrust
    position: int
    recordedAt: str


def restored(kind: str, state: type[Any]) -> EventType[Any]:
    """Return the event `KIND.restored`, whose payload holds a whole state of the kind and where it was taken from."""
    make: Any = TypedDict  # the class of each kind is made here, which no type checker follows
    name = "".join(part.capitalize() for part in kind.split("-"))
    payload = make(f"{name}Restoration", {"source": RestoredFrom, "state": state})
    payload.__doc__ = "The resource is again as it was there, whatever became of it since."
    return EventType(f"{kind}.restored", with_config(STRICT)(payload), _restored)


def _restored(state: State | None, resource: str, payload: Payload) -> State:
    """The state that is given becomes the resource's; nothing of the one before remains."""
    given = payload["state"]
    assert isinstance(given, dict)
    if given.get("id") != resource:
        raise Refused(f"{resource} was given the state of another resource", rule="event-order", resource=resource)
    return {**given}
