"""Endorsements and trust: why the signer of a manifest is believed, and when it is not."""

import hmac
from collections.abc import Iterator
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from domain.errors import Corrupt, Usage, WrongKey
from infra.backup import endorsement, manifest
from infra.backup.age import AgeIdentity, fingerprint, generate_identity
from infra.backup.endorsement import Trust, endorse, from_text, to_text, trust
from infra.backup.manifest import Manifest
from infra.keys import base64_text
from infra.keys.signer import Signer
from tests.backup_estate import IDENTITY, OTHER_IDENTITY, estate, lived_in

POST_QUANTUM = generate_identity()


@pytest.fixture(scope="module")
def newest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Manifest]:
    with estate(tmp_path_factory.mktemp("estate")) as one:
        yield lived_in(one).newest


def with_endorsements(of: Manifest, *identities: AgeIdentity) -> Manifest:
    entries = tuple(endorse(identity, of.signer()) for identity in identities)
    return of.model_copy(update={"endorsements": entries})


@pytest.mark.parametrize("identity", [IDENTITY, POST_QUANTUM], ids=["classical", "post-quantum"])
def test_an_endorsement_is_what_the_format_says(newest: Manifest, identity: AgeIdentity) -> None:
    key = HKDF(SHA256(), 32, salt=None, info=b"resurgam-endorsement-key-1").derive(identity.seed)
    mac = hmac.digest(key, b"resurgam-endorsement-1\n" + newest.verifier.encode(), sha256)
    entry = endorse(identity, newest.signer())
    assert base64_text.decode(entry.mac) == mac
    assert entry.fingerprint == fingerprint(identity.recipient)
    assert to_text(entry) == f"resurgam-endorsement-1 {entry.fingerprint} {entry.mac}"
    assert from_text(f" {to_text(entry)}\n") == entry


@pytest.mark.parametrize("text", ["", "resurgam-endorsement-2 x y", "resurgam-endorsement-1 0123 AAAA"])
def test_a_line_that_is_no_endorsement_is_refused(text: str) -> None:
    with pytest.raises(Usage, match="begins with resurgam-endorsement-1"):
        from_text(text)


def test_whoever_endorsed_the_signer_needs_no_other_word(newest: Manifest) -> None:
    endorsed = with_endorsements(newest, OTHER_IDENTITY, IDENTITY)
    assert trust(endorsed, [IDENTITY], None, first_use=False) == Trust("Endorsed", newest.signer())
    assert trust(endorsed, [POST_QUANTUM, OTHER_IDENTITY], None, first_use=False).reason == "Endorsed"


def test_a_signer_that_nothing_speaks_for_is_refused_with_its_fingerprint(newest: Manifest) -> None:
    for of in (newest, with_endorsements(newest, OTHER_IDENTITY)):
        with pytest.raises(Corrupt) as refusal:
            trust(of, [IDENTITY], None, first_use=False)
        for part in (newest.signer().fingerprint, f"--verifier '{newest.verifier}'", "--trust-first-use"):
            assert part in str(refusal.value)
        assert trust(of, [IDENTITY], None, first_use=True).reason == "FirstUse"


def test_an_endorsement_of_another_signer_is_never_passed_over(newest: Manifest) -> None:
    other = Signer.generate(manifest.origin(newest.deployment)).verifier
    forged = newest.model_copy(update={"endorsements": (endorse(IDENTITY, other),)})
    for first_use in (False, True):
        with pytest.raises(Corrupt, match="carries a forged endorsement"):
            trust(forged, [IDENTITY], None, first_use=first_use)


def test_a_named_signer_is_the_only_one(newest: Manifest) -> None:
    assert trust(newest, [IDENTITY], newest.signer(), first_use=False).reason == "Named"
    other = Signer.generate(manifest.origin(newest.deployment)).verifier
    with pytest.raises(Corrupt, match="that was named: leave it"):
        trust(with_endorsements(newest, IDENTITY), [IDENTITY], other, first_use=True)


def test_an_identity_that_is_no_recipient_is_a_wrong_key(newest: Manifest) -> None:
    endorsement.check_identities(newest, [OTHER_IDENTITY, IDENTITY])
    for identities in ([], [OTHER_IDENTITY]):
        with pytest.raises(WrongKey, match=f"is encrypted to {fingerprint(IDENTITY.recipient)}"):
            endorsement.check_identities(newest, identities)
