"""Hashed passwords: the right one is recognised, any other is not, and the hash tells nothing of it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import Corrupt
from infra.keys.password import STANDARD_COST, TEST_COST, hash_secret, verify_secret

PASSWORD = "Tr0ub4dor&3 für alle".encode()
PHC = hash_secret(PASSWORD, cost=TEST_COST)


@given(st.binary(max_size=200), st.binary(max_size=200))
@settings(deadline=None)
def test_only_the_same_password_verifies(password: bytes, other: bytes) -> None:
    phc = hash_secret(password, cost=TEST_COST)
    assert verify_secret(phc, password)
    assert verify_secret(phc, other) == (password == other)


def test_the_standard_cost_is_what_the_docs_say() -> None:
    phc = hash_secret(PASSWORD)
    assert phc.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert verify_secret(phc, PASSWORD)
    assert (STANDARD_COST.memory_kib, STANDARD_COST.iterations, STANDARD_COST.lanes) == (19456, 2, 1)


def test_equal_passwords_have_different_hashes_that_do_not_show_them() -> None:
    assert hash_secret(PASSWORD, cost=TEST_COST) != PHC
    assert PASSWORD.decode() not in PHC


def test_any_flipped_bit_of_a_hash_is_refused() -> None:
    data = PHC.encode()
    for place in range(len(data)):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[place] ^= 1 << bit
            try:
                verified = verify_secret(damaged.decode("latin-1"), PASSWORD)
            except Corrupt:
                continue
            assert not verified


def test_the_stored_hash_is_not_shown_in_an_error() -> None:
    with pytest.raises(Corrupt) as refusal:
        verify_secret(PHC + "A", PASSWORD)
    assert PHC[-20:] not in str(refusal.value)


@pytest.mark.parametrize(
    "phc",
    [
        "",
        "garbage",
        PHC + "\n",
        PHC.replace("argon2id", "argon2i"),
        PHC.replace("v=19", "v=16"),
        PHC.replace("m=64", "m=0"),
        PHC.replace("p=1", "p=99"),
        PHC.replace("m=64", "m=1000000"),
        PHC.replace("t=1", "t=100"),
        PHC.replace("m=64", "m=64,k=1"),
        PHC.rsplit("$", 1)[0],
    ],
    ids=range(11),  # the hash is another in each process
)
def test_what_is_no_hash_of_ours_is_refused(phc: str) -> None:
    with pytest.raises(Corrupt):
        verify_secret(phc, PASSWORD)
