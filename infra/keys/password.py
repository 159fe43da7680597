"""Passwords and client secrets as argon2id hashes (RFC 9106) in PHC strings."""

import re
from dataclasses import dataclass
from secrets import token_bytes

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from domain.errors import Corrupt

SALT_BYTES = 16
HASH_BYTES = 32

# The bounds on the digits keep an altered string from asking for more than 1 GB or 99 passes.
_PHC = re.compile(
    r"\$argon2id\$v=19\$m=[1-9][0-9]{0,5},t=[1-9][0-9]?,p=[1-9][0-9]?\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}"
)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one guess costs: memory, passes over it, and lanes."""

    memory_kib: int
    iterations: int
    lanes: int


STANDARD_COST = Cost(memory_kib=19 * 1024, iterations=2, lanes=1)
"""The first choice of OWASP's password storage cheat sheet; some 40 ms a guess."""

TEST_COST = Cost(memory_kib=64, iterations=1, lanes=1)
"""Well below any sane choice: only for tests and generated estates."""


def hash_secret(secret: bytes, *, cost: Cost = STANDARD_COST) -> str:
    """Return the PHC string of a secret under a fresh salt; takes as long as `cost` says."""
    argon2id = Argon2id(
        salt=token_bytes(SALT_BYTES),
        length=HASH_BYTES,
        iterations=cost.iterations,
        lanes=cost.lanes,
        memory_cost=cost.memory_kib,
    )
    return argon2id.derive_phc_encoded(secret)


def verify_secret(phc: str, secret: bytes) -> bool:
    """Return whether the PHC string is that of the secret; raise Corrupt if it is none that `hash_secret` writes."""
    if not _PHC.fullmatch(phc):
        raise Corrupt("stored hash is not an argon2id PHC string")
    try:
        Argon2id.verify_phc_encoded(secret, phc)
    except InvalidKey:
        return False
    except ValueError as error:
        raise Corrupt("stored hash has argon2id parameters that do not fit together") from error
    return True
