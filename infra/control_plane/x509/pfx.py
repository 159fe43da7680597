"""PFX files (PKCS #12) of endpoint certificates: opened, and described for the decision."""

import base64
from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12

from domain.endpoint_certificate import ImportedCertificateFacts, ImportEndpointCertificate
from domain.errors import Usage, WrongKey
from domain.resource import World
from infra.control_plane.x509.certificate import (
    alternative_names,
    extended_key_usage,
    facts,
    key_usage,
    pem,
)
from infra.control_plane.x509.preparation import OpenSealed, Preparation


def prepare_import(
    command: ImportEndpointCertificate, world: World, now: str, open_sealed: OpenSealed, fresh_id: str
) -> Preparation:
    """Open the PFX, put its certificates into the order of their signatures, and describe the endpoint's own."""
    leaf, others, private_key = _open(command)
    try:
        chain = _chain(leaf, others)
        described = _described(leaf, chain)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Usage(f"certificate in the PFX for {command.endpoint} cannot be read: {error}") from error
    return Preparation(dict(described), {"private_key": private_key})


def _open(command: ImportEndpointCertificate) -> tuple[x509.Certificate, Sequence[x509.Certificate], bytes]:
    """Return the endpoint's certificate, the others, and the private key as PKCS #8 in DER."""
    try:
        data = base64.b64decode("".join(command.pfx.get_secret_value().split()), validate=True)
    except ValueError as error:
        raise Usage(f"PFX for {command.endpoint} is not base64") from error
    try:
        pfx = load_pkcs12(data, command.password.get_secret_value().encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise WrongKey(f"PFX for {command.endpoint} does not open: the password is another, or it is no PFX") from error
    if pfx.key is None or pfx.cert is None:
        raise Usage(f"PFX for {command.endpoint} does not hold a private key with its certificate: export both")
    private_key = pfx.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return pfx.cert.certificate, [other.certificate for other in pfx.additional_certs], private_key


def _chain(leaf: x509.Certificate, others: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """Return the certificate, its issuer, that one's issuer and so on, as far as the PFX goes; the rest is left out."""
    chain = [leaf]
    while issuer := next((c for c in others if c not in chain and _signed_by(chain[-1], c)), None):
        chain.append(issuer)
    return chain


def _signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):  # another name, a key that cannot sign, another key
        return False
    return True


def _described(leaf: x509.Certificate, chain: Sequence[x509.Certificate]) -> ImportedCertificateFacts:
    public_key = leaf.public_key()
    relied_on = [c.signature_hash_algorithm for c in chain if not _signed_by(c, c)]
    return {
        "certificate": {
            **facts(leaf),
            "chain": [pem(certificate) for certificate in chain],
            "serialNumber": f"{leaf.serial_number:x}",
            "issuer": leaf.issuer.rfc4514_string(),
            "subjectAlternativeNames": alternative_names(leaf),
        },
        "selfSigned": _signed_by(leaf, leaf),
        "signatureHashAlgorithms": [algorithm.name for algorithm in relied_on if algorithm is not None],
        "publicKeyAlgorithm": _algorithm(public_key),
        "keyUsage": key_usage(leaf),
        "extendedKeyUsage": extended_key_usage(leaf),
    }


def _algorithm(public_key: object) -> str:
    if isinstance(public_key, rsa.RSAPublicKey):
        return "RSA"
    return "EC" if isinstance(public_key, ec.EllipticCurvePublicKey) else type(public_key).__name__
