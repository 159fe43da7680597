"""A sealed value opens only with its own key, for its purpose, at its resource, unaltered."""

import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Corrupt, WrongKey
from domain.sealed_value import SealedValue, key_ids
from infra.keys.sealing import DataKey, seal, unseal

PLAINTEXT = b"correct horse battery staple"
RESOURCE = "/subscriptions/1/vaults/Straße/secrets/Database"
SEALED, DATA_KEY = seal(PLAINTEXT, purpose="secret", resource=RESOURCE, version="v1")


def changed(**members: Any) -> SealedValue:
    return cast(SealedValue, {**SEALED, **members})


@given(st.binary(max_size=300), st.text(), st.text(), st.text())
def test_a_sealed_value_opens_to_its_plaintext(plaintext: bytes, purpose: str, resource: str, version: str) -> None:
    sealed, data_key = seal(plaintext, purpose=purpose, resource=resource, version=version)
    reread = json.loads(json.dumps(sealed))
    assert unseal(reread, data_key, purpose=purpose, resource=resource) == plaintext


def test_a_value_sealed_in_the_released_format_opens() -> None:
    sealed = SealedValue(
        sealed=1,
        keyId="00112233445566778899aabbccddeeff",
        purpose="secret",
        version="v1",
        nonce="AAECAwQFBgcICQoL",
        ciphertext="JG2kaaCGtjvlLuX41MkaDPei4kaJWywIWReJ4EfahJNQmsC5eTAKC4FkouE",
    )
    data_key = DataKey("00112233445566778899aabbccddeeff", bytes(range(32)))
    assert unseal(sealed, data_key, purpose="secret", resource=RESOURCE) == PLAINTEXT


def test_a_sealed_value_opens_under_any_spelling_of_its_resource() -> None:
    assert unseal(SEALED, DATA_KEY, purpose="secret", resource=RESOURCE.upper()) == PLAINTEXT


def test_a_sealed_value_names_its_key_purpose_and_version() -> None:
    assert SEALED["sealed"] == 1
    assert (SEALED["purpose"], SEALED["version"]) == ("secret", "v1")
    assert list(key_ids({"value": SEALED})) == [DATA_KEY.key_id]


def test_each_value_has_a_key_and_a_nonce_of_its_own() -> None:
    again, key_again = seal(PLAINTEXT, purpose="secret", resource=RESOURCE, version="v1")
    assert key_again.key_id != DATA_KEY.key_id
    assert key_again.secret != DATA_KEY.secret
    assert again["nonce"] != SEALED["nonce"]
    assert len(bytes.fromhex(DATA_KEY.key_id)) == 16
    assert len(DATA_KEY.secret) == 32


def test_another_data_key_is_a_wrong_key() -> None:
    _, other = seal(b"", purpose="secret", resource=RESOURCE, version="v1")
    with pytest.raises(WrongKey, match=other.key_id):
        unseal(SEALED, other, purpose="secret", resource=RESOURCE)
    with pytest.raises(Corrupt):
        unseal(SEALED, DataKey(DATA_KEY.key_id, other.secret), purpose="secret", resource=RESOURCE)


def test_a_value_moved_to_another_resource_purpose_version_or_key_id_is_refused() -> None:
    other_id = "0" * 32
    with pytest.raises(Corrupt):
        unseal(SEALED, DATA_KEY, purpose="secret", resource=RESOURCE + "2")
    with pytest.raises(Corrupt, match="'password'"):
        unseal(SEALED, DATA_KEY, purpose="password", resource=RESOURCE)
    with pytest.raises(Corrupt):
        unseal(changed(purpose="password"), DATA_KEY, purpose="password", resource=RESOURCE)
    with pytest.raises(Corrupt):
        unseal(changed(version="v2"), DATA_KEY, purpose="secret", resource=RESOURCE)
    moved = DataKey(other_id, DATA_KEY.secret)
    with pytest.raises(Corrupt):
        unseal(changed(keyId=other_id), moved, purpose="secret", resource=RESOURCE)


def test_text_that_moves_from_one_field_to_the_next_is_refused() -> None:
    sealed, data_key = seal(PLAINTEXT, purpose="ab", resource="/r", version="c")
    moved = cast(SealedValue, {**sealed, "purpose": "a", "version": "bc"})
    with pytest.raises(Corrupt):
        unseal(moved, data_key, purpose="a", resource="/r")


def test_any_flipped_bit_is_refused() -> None:
    data = json.dumps(SEALED).encode()
    for place in range(len(data)):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[place] ^= 1 << bit
            try:
                sealed = json.loads(damaged)
            except ValueError:
                continue
            if sealed != SEALED:
                with pytest.raises((Corrupt, WrongKey)):
                    unseal(sealed, DATA_KEY, purpose="secret", resource=RESOURCE)


@pytest.mark.parametrize(
    "members",
    [
        {"sealed": 2},
        {"sealed": "1"},
        {"more": ""},
        {"version": 1},
        {"version": "\ud800"},
        {"nonce": None},
        {"nonce": ""},
        {"nonce": SEALED["nonce"] + "="},
        {"nonce": "é"},
        {"ciphertext": ""},
        {"ciphertext": "A"},
        {"ciphertext": SEALED["ciphertext"] + "\n"},
    ],
)
def test_what_is_no_sealed_value_is_refused(members: dict[str, Any]) -> None:
    with pytest.raises(Corrupt):
        unseal(changed(**members), DATA_KEY, purpose="secret", resource=RESOURCE)


@pytest.mark.parametrize("missing", sorted(SEALED))
def test_a_missing_member_is_refused(missing: str) -> None:
    rest = cast(SealedValue, {name: value for name, value in SEALED.items() if name != missing})
    with pytest.raises(Corrupt):
        unseal(rest, DATA_KEY, purpose="secret", resource=RESOURCE)


def test_neither_key_nor_plaintext_is_shown() -> None:
    with pytest.raises(Corrupt) as refusal:
        unseal(SEALED, DATA_KEY, purpose="secret", resource="/other")
    shown = repr(DATA_KEY) + str(DATA_KEY) + repr(refusal.value) + repr(refusal.value.__cause__) + json.dumps(SEALED)
    for secret in (DATA_KEY.secret.hex(), repr(DATA_KEY.secret), PLAINTEXT.decode()):
        assert secret not in shown
