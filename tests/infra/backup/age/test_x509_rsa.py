"""Certificates as recipients: RSA alone, opened by their PFX, and beside what every age opens."""

import base64
import io
import subprocess
from hashlib import sha256
from pathlib import Path

import pyrage  # type: ignore[import-untyped]  # it brings no annotations
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat, pkcs12

from domain.errors import Corrupt, Refused, Usage, WrongKey
from infra.backup.age import (
    Recipient,
    Stanza,
    X509Identity,
    X509Recipient,
    decrypt,
    encrypt,
    fingerprint,
    generate_identity,
    is_pfx,
    open_pfx,
    parse_recipient,
    read_identity_file,
)
from tests.infra.backup.age.foreign import age_command, npm_age
from tests.x509_recipients import certificate, der, pfx, rsa_key, usage

FILE_KEY = b"YELLOW SUBMARINE"
PLAINTEXT = b"the log of the region" * 5_000
STANZA_TYPE = "resurgam/x509-rsa-oaep-sha256"


def identity(number: int = 0) -> X509Identity:
    return X509Identity(rsa_key(number), X509Recipient.of(der(certificate(rsa_key(number)))))


def sealed(*recipients: Recipient, allow_mixed: bool = False) -> bytes:
    sink = io.BytesIO()
    with encrypt(sink, recipients, allow_mixed=allow_mixed) as payload:
        payload.write(PLAINTEXT)
    return sink.getvalue()


def test_a_certificate_is_spelled_in_one_way_from_pem_and_der() -> None:
    made = certificate()
    recipient = X509Recipient.of(der(made))
    assert str(recipient) == "x509:" + base64.b64encode(der(made)).decode()
    assert X509Recipient.of(made.public_bytes(Encoding.PEM)) == recipient
    assert parse_recipient(str(recipient)) == recipient
    assert not recipient.post_quantum


def test_the_fingerprint_is_that_of_the_key_and_stays_when_a_certificate_is_renewed() -> None:
    public = rsa_key().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert fingerprint(identity().recipient) == sha256(public).hexdigest()[:16]
    renewed = X509Recipient.of(der(certificate()))
    assert renewed != identity().recipient
    assert fingerprint(renewed) == fingerprint(identity().recipient) != fingerprint(identity(1).recipient)
    assert identity().unwrap(renewed.wrap(FILE_KEY)) == FILE_KEY


def test_the_stanza_is_what_the_reference_says() -> None:
    stanza = identity().recipient.wrap(FILE_KEY)
    assert (stanza.type, stanza.arguments) == (STANZA_TYPE, (fingerprint(identity().recipient),))
    assert len(stanza.body) == 256
    padding = OAEP(MGF1(SHA256()), SHA256(), STANZA_TYPE.encode())
    assert rsa_key().decrypt(stanza.body, padding) == FILE_KEY
    by_hand = Stanza(stanza.type, stanza.arguments, rsa_key().public_key().encrypt(FILE_KEY, padding))
    assert identity().unwrap(by_hand) == FILE_KEY
    assert identity(1).unwrap(stanza) is None
    assert generate_identity(post_quantum=False).unwrap(stanza) is None


def test_a_stanza_of_its_own_that_nobody_honest_makes_is_corrupt() -> None:
    stanza = identity().recipient.wrap(FILE_KEY)
    own = stanza.arguments
    label = rsa_key().public_key().encrypt(FILE_KEY, OAEP(MGF1(SHA256()), SHA256(), None))
    for arguments, body in (
        ((), stanza.body),
        ((*own, "more"), stanza.body),
        (("X" * 16,), stanza.body),
        (own, stanza.body[:-1]),
        (own, stanza.body + b"x"),
        (own, bytes([stanza.body[0] ^ 1]) + stanza.body[1:]),
        (own, label),
    ):
        with pytest.raises(Corrupt):
            identity().unwrap(Stanza(STANZA_TYPE, arguments, body))


def test_every_age_opens_a_file_that_is_sealed_to_a_certificate_too(tmp_path: Path) -> None:
    age = generate_identity(post_quantum=False)
    file = sealed(age.recipient, identity().recipient)
    assert decrypt(io.BytesIO(file), [identity()]).read() == PLAINTEXT
    assert decrypt(io.BytesIO(file), [age]).read() == PLAINTEXT
    assert pyrage.decrypt(file, [pyrage.x25519.Identity.from_str(age.secret_text())]) == PLAINTEXT
    assert npm_age("decrypt", age.secret_text(), file) == PLAINTEXT
    key = tmp_path / "key.txt"
    key.write_text(age.secret_text())
    command = [str(age_command()), "--decrypt", "--identity", str(key)]
    assert subprocess.run(command, input=file, capture_output=True, check=True).stdout == PLAINTEXT
    with pytest.raises(WrongKey):
        decrypt(io.BytesIO(file), [identity(1)])


def test_beside_a_post_quantum_recipient_it_stands_by_choice_only() -> None:
    age = generate_identity()
    with pytest.raises(Refused) as refusal:
        sealed(age.recipient, identity().recipient)
    assert refusal.value.rule == "recipients-not-mixed"
    file = sealed(age.recipient, identity().recipient, allow_mixed=True)
    assert npm_age("decrypt", age.secret_text(), file) == PLAINTEXT
    assert decrypt(io.BytesIO(file), [identity()]).read() == PLAINTEXT


def test_every_flipped_bit_of_the_header_is_noticed() -> None:
    file = sealed(identity().recipient)
    for at in range(file.index(b"---") + 40):
        flipped = bytearray(file)
        flipped[at] ^= 1
        with pytest.raises((Corrupt, WrongKey)):
            decrypt(io.BytesIO(bytes(flipped)), [identity()])


@pytest.mark.parametrize(
    ("key", "named"),
    [
        (ec.generate_private_key(ec.SECP256R1()), "EC (secp256r1)"),
        (ed25519.Ed25519PrivateKey.generate(), "Ed25519"),
        (rsa_key(0, 1024), "1024 bits"),
    ],
    ids=["EC", "Ed25519", "RSA 1024"],
)
def test_other_keys_than_rsa_of_2048_bits_are_refused_by_name(key: ec.EllipticCurvePrivateKey, named: str) -> None:
    made = certificate(key)
    for give in (
        lambda: X509Recipient.of(der(made)),
        lambda: parse_recipient("x509:" + base64.b64encode(der(made)).decode()),
        lambda: open_pfx(pfx(made, key), lambda: b"correct horse", name="office.pfx"),
    ):
        with pytest.raises(Usage) as refusal:
            give()
        assert named in str(refusal.value)


def test_a_certificate_that_is_not_for_encryption_is_refused() -> None:
    X509Recipient.of(der(certificate(usage=usage(encipherment=True))))
    with pytest.raises(Usage, match="keyEncipherment"):
        X509Recipient.of(der(certificate(usage=usage(encipherment=False))))


@pytest.mark.parametrize("text", ["x509:", "x509:!", "x509:QUJD", "x509:" + "A" * 1000])
def test_what_is_no_certificate_is_refused(text: str) -> None:
    with pytest.raises(Usage):
        parse_recipient(text)


def test_a_pfx_opens_with_its_password_alone(tmp_path: Path) -> None:
    path = tmp_path / "office.pfx"
    made = certificate()
    path.write_bytes(pfx(made))
    [found] = read_identity_file(path, lambda: b"correct horse")
    assert found.recipient == X509Recipient.of(der(made))
    with pytest.raises(WrongKey) as wrong:
        read_identity_file(path, lambda: b"canary")
    assert "canary" not in str(wrong.value)
    with pytest.raises(Usage, match="password"):
        read_identity_file(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(WrongKey):
        read_identity_file(path, lambda: b"correct horse")


def test_a_pfx_without_a_password_asks_for_none(tmp_path: Path) -> None:
    path = tmp_path / "office.pfx"
    path.write_bytes(pfx(certificate(), password=None))
    [found] = read_identity_file(path)
    assert isinstance(found, X509Identity)


def test_a_pfx_without_its_private_key_or_with_another_s_is_refused() -> None:
    lone = pkcs12.serialize_key_and_certificates(b"x", None, certificate(), None, NoEncryption())
    with pytest.raises(Usage, match="private key"):
        open_pfx(lone, None, name="office.pfx")


def test_a_certificate_is_no_pfx_and_no_identity(tmp_path: Path) -> None:
    assert is_pfx(pfx(certificate()))
    for other in (der(certificate()), b"", b"0", b"0\x82", b"AGE-SECRET-KEY-1"):
        assert not is_pfx(other)
    path = tmp_path / "office.cer"
    path.write_bytes(der(certificate()))
    with pytest.raises(Usage):
        read_identity_file(path)


def test_the_secret_of_an_identity_is_that_of_its_primes_and_is_never_shown() -> None:
    numbers = rsa_key().private_numbers()
    low, high = sorted((numbers.p, numbers.q))
    expected = sha256(b"resurgam-x509-secret-1\n" + low.to_bytes(256, "big") + high.to_bytes(256, "big")).digest()
    assert identity().seed == expected
    [found] = [open_pfx(pfx(certificate()), lambda: b"correct horse", name="office.pfx")]
    assert found.seed == expected
    assert str(numbers.p) not in repr(identity())
    assert "private" not in repr(identity())


def test_openssl_takes_the_file_key_out_of_a_stanza(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(rsa_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "body").write_bytes(identity().recipient.wrap(FILE_KEY).body)
    options = ["rsa_padding_mode:oaep", "rsa_oaep_md:sha256", f"rsa_oaep_label:{STANZA_TYPE.encode().hex()}"]
    command = ["openssl", "pkeyutl", "-decrypt", "-inkey", "key.pem", "-in", "body", "-out", "file-key"]
    subprocess.run([*command, *(word for option in options for word in ("-pkeyopt", option))], cwd=tmp_path, check=True)
    assert (tmp_path / "file-key").read_bytes() == FILE_KEY
