"""Sealed values: what a record holds in the place of a secret, and how the keys of a state are found."""

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from pydantic import with_config
from typing_extensions import TypedDict

from domain.event import STRICT

SEALED_MARK = b'"keyId"'
"""Stands in the bytes of every state that holds a sealed value; most do not, and need no closer look."""


@with_config(STRICT)
class SealedValue(TypedDict):
    """Ciphertext under a data key of its own; the format is specified in docs/reference/keys.md.

    `sealed` is the format's number, 1. `nonce` and `ciphertext` are base64url without padding.
    """

    sealed: int
    keyId: str
    purpose: str
    version: str
    nonce: str
    ciphertext: str


_LEAVES = (str, int, float, type(None))
"""What most members are; asking whether they are mappings takes ten times as long."""


def sealed_values(value: object) -> Iterator[SealedValue]:
    """Yield every sealed value in a state, depth first."""
    if isinstance(value, _LEAVES):
        return
    if isinstance(value, dict | Mapping):
        if "sealed" in value and "keyId" in value:
            yield cast(SealedValue, value)
        else:
            for member in value.values():
                yield from sealed_values(member)
    elif isinstance(value, list | Sequence):
        for member in value:
            yield from sealed_values(member)


def key_ids(value: object) -> Iterator[str]:
    """Yield the ids of the data keys of every sealed value in a state.

    The keys that a resource needs are a pure function of its state: a key that was in the state before and is not in
    the state after is destroyed with that change.
    """
    for sealed in sealed_values(value):
        yield str(sealed["keyId"])
