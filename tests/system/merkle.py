"""An independent Merkle tree: MTH of RFC 9162, section 2.1.1, word for word."""

from collections.abc import Sequence
from hashlib import sha256


def merkle_root(records: Sequence[bytes]) -> bytes:
    """Return the root over the records."""
    if not records:
        return sha256().digest()
    if len(records) == 1:
        return sha256(b"\0" + records[0]).digest()
    k = 1 << (len(records) - 1).bit_length() - 1
    return sha256(b"\1" + merkle_root(records[:k]) + merkle_root(records[k:])).digest()
