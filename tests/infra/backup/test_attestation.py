"""Attestations: whoever made one is known, and nothing about it can be changed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from domain.errors import Corrupt
from infra.backup import attestation, layout
from infra.backup.attestation import Judged
from infra.backup.manifest import origin
from infra.backup.repository import Repository
from infra.canonical_json import decode, encode
from infra.keys import base64_text
from infra.keys.signer import Signer
from tests.attestations import attest, forged, put, signer_of, stored
from tests.backup_estate import IDENTITY, OTHER_IDENTITY, Estate, estate, lived_in
from tests.observed_store import ObservedStore

AT = "2026-11-22T12:00:00.000000Z"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    with estate(tmp_path_factory.mktemp("attested")) as one:
        yield lived_in(one)


def judged(made: Estate, data: bytes, *identities: Any, sequence: int = 3) -> Judged:
    """What bytes are worth that lie under the name that they should have."""
    name = put(made.repository, made.deployment, sequence, data)
    try:
        return attestation.judge(made.repository, name, stored(made, sequence), identities)
    finally:
        made.repository.store.delete(name)


def good(made: Estate, by: Any = None) -> bytes:
    return attestation.of_manifest(stored(made, 3), 7, AT, by if by is not None else signer_of(made))


def test_the_deployment_attests_with_the_signature_of_its_manifests(made: Estate) -> None:
    found = judged(made, good(made))
    assert (found.standing, found.reason) == ("valid", "")
    assert found.attestation is not None
    assert (found.attestation.sequence, found.attestation.position, found.attestation.keys) == (3, 22, 7)
    assert found.attestation.by() == "deployment"


def test_the_holder_of_an_identity_is_known_only_to_whoever_has_that_identity(made: Estate) -> None:
    data = good(made, IDENTITY)
    assert judged(made, data, OTHER_IDENTITY, IDENTITY).standing == "valid"
    for others in ((), (OTHER_IDENTITY,)):
        unchecked = judged(made, data, *others)
        assert unchecked.standing == "unchecked"
        assert "only with the identity" in unchecked.reason


def test_a_holder_who_claims_to_be_another_is_found(made: Estate) -> None:
    claimed = decode(good(made, IDENTITY).partition(b"\n")[0], "it")["fingerprint"]
    own = decode(good(made, OTHER_IDENTITY).partition(b"\n")[0], "it")["fingerprint"]
    data = good(made, OTHER_IDENTITY).replace(own.encode(), claimed.encode())
    found = judged(made, data, IDENTITY)
    assert (found.standing, "it is forged" in found.reason) == ("invalid", True)


@pytest.mark.parametrize("by", [None, IDENTITY], ids=["deployment", "identity"])
def test_any_changed_byte_makes_it_invalid_also_under_a_name_that_fits(made: Estate, by: Any) -> None:
    data = good(made, by)
    for number in range(len(data)):
        changed = data[:number] + bytes([data[number] ^ 1]) + data[number + 1 :]
        found = judged(made, changed, IDENTITY)
        # Another fingerprint may be that of somebody whose identity is not here.
        assert found.standing != "valid", (number, changed)
        assert found.standing == "invalid" or b'"fingerprint":"' in changed, (number, changed)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sequence": 2}, "of another manifest"),
        ({"manifest_sha256": "0" * 64}, "of another manifest"),
        ({"repository": "00000000-0000-4000-8000-000000000000"}, "of another manifest"),
        ({"deployment": "00000000-0000-4000-8000-000000000000"}, "of another manifest"),
        ({"position": 21}, "gave something else"),
        ({"root": "A" * 43 + "="}, "gave something else"),
        ({"state_digest": "0" * 128}, "gave something else"),
        ({"format": 2}, "no attestation of format 1"),
        ({"verified_at": "2026-13-22T12:00:00.000000Z"}, "no instant"),
        ({"verified_at": "yesterday"}, "no attestation of format 1: verified_at"),
        ({"more": 1}, "no attestation of format 1: more"),
        ({"fingerprint": "0123456789abcdef"}, "not proven by hmac-sha256"),
    ],
    ids=str,
)
def test_a_claim_that_is_not_the_manifests_counts_for_nothing_whoever_signed_it(
    made: Estate, changes: dict[str, Any], reason: str
) -> None:
    found = judged(made, forged(good(made), signer_of(made), **changes))
    assert found.standing == "invalid"
    assert reason in found.reason


def test_another_signer_attests_nothing(made: Estate) -> None:
    stranger = Signer.generate(origin(made.deployment))
    found = judged(made, good(made, stranger))
    assert (found.standing, "signature is not that of" in found.reason) == ("invalid", True)


@pytest.mark.parametrize(
    "data", [b"", b"\n", b"{}\n", b"{}\n\n", b"[]\ned25519 AA==\n", b"null\n\n", b"{" * 5_000], ids=str
)
def test_what_is_no_attestation_is_invalid(made: Estate, data: bytes) -> None:
    assert judged(made, data).standing == "invalid"


def test_spaces_and_cut_ends_are_invalid(made: Estate) -> None:
    data = good(made)
    for changed in (data[:-1], data + b"\n", data.replace(b'":', b'": ', 1), data.replace(b"ed25519 ", b"ed25519")):
        assert judged(made, changed).standing == "invalid"


def test_one_that_lies_under_another_name_is_invalid(made: Estate) -> None:
    name = layout.attestation(made.deployment, 3, "0" * 64)
    made.repository.store.put_new(name, good(made))
    found = attestation.judge(made.repository, name, stored(made, 3))
    made.repository.store.delete(name)
    assert (found.standing, found.reason) == ("invalid", "it is not what its name says")


def test_verify_counts_valid_ones_and_refuses_invalid_ones(tmp_path: Path) -> None:
    with estate(tmp_path) as made:
        lived_in(made)
        attest(made, 2, AT)
        attest(made, 3, AT, IDENTITY)
        made_by_hand = made.verify()
        assert (made_by_hand.attestations, made_by_hand.unnamed) == (2, ())
        name = put(made.repository, made.deployment, 3, forged(good(made), signer_of(made), position=1))
        with pytest.raises(Corrupt, match=f"{name} is not valid"):
            made.verify()
        made.repository.store.delete(name)
        odd = made.root / made.deployment / "attestations" / "notes.txt"
        odd.write_bytes(b"mine")
        with pytest.raises(Corrupt, match="a name that no backup gives"):
            made.verify()


def test_one_whose_last_line_has_no_end_is_invalid(made: Estate) -> None:
    data = attestation.of_manifest(stored(made, 1), 7, made.newest.created_at, signer_of(made))
    name = put(made.repository, made.deployment, 1, data[:-1] + b"X")
    told = attestation.judge(made.repository, name, stored(made, 1))
    assert (told.standing, told.reason) == ("invalid", "it is no attestation")


def test_one_that_is_too_large_is_invalid_and_not_read(made: Estate) -> None:
    name = put(made.repository, made.deployment, 1, b"x" * (attestation.BYTES_MAX + 1))
    read: list[str] = []
    watched = Repository.open(ObservedStore(made.repository.store, before=lambda method, name: read.append(method)))
    read.clear()
    told = attestation.judge(watched, name, stored(made, 1))
    assert (told.standing, told.reason) == ("invalid", f"it has more than {attestation.BYTES_MAX} bytes")
    assert read == ["head"]


def test_one_without_a_member_is_invalid_though_it_is_signed(made: Estate) -> None:
    signer = signer_of(made)
    data = attestation.of_manifest(stored(made, 1), 7, made.newest.created_at, signer)
    value = decode(data.partition(b"\n")[0], "it")
    del value["format"]
    body = encode(value) + b"\n"
    signature = base64_text.encode(signer.sign(attestation.PREFIX + body)).encode()
    name = put(made.repository, made.deployment, 1, body + attestation.SIGNATURE_LABEL + signature + b"\n")
    told = attestation.judge(made.repository, name, stored(made, 1))
    assert (told.standing, told.reason) == ("invalid", "it does not re-serialise to itself")


def test_one_that_reads_back_differently_is_told(made: Estate) -> None:
    class Forgetful(ObservedStore):
        def get(self, name: str, *, start: int = 0, length: int | None = None) -> bytes:
            data = super().get(name, start=start, length=length)
            return data[:-1] if "/attestations/" in name else data

    of = stored(made, 1)
    data = attestation.of_manifest(of, 7, "2029-01-01T00:00:00.000000Z", signer_of(made))
    with pytest.raises(Corrupt, match="reads back differently from what was written"):
        attestation.put(Repository.open(Forgetful(made.repository.store)), of, data)
