"""Key pairs of certificates: RSA and elliptic curve keys, made, read and written."""

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_pem_public_key,
)

from domain.certificate_authority import KeyType
from domain.errors import Corrupt, Usage

RSA_BITS_MIN = 2048
CURVES = ("secp256r1", "secp384r1", "secp521r1")

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


def generate(key_type: KeyType) -> PrivateKey:
    """Return a fresh key; an RSA-4096 one takes seconds."""
    if key_type == "RSA-4096":
        return rsa.generate_private_key(public_exponent=65537, key_size=4096)
    return ec.generate_private_key(ec.SECP384R1())


def to_pkcs8(key: PrivateKey) -> bytes:
    """Return PKCS #8 in DER, unencrypted: to be sealed."""
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def from_pkcs8(data: bytes) -> PrivateKey:
    """Return the key that `to_pkcs8` wrote.

    Whether its numbers are primes is not asked again: it was sealed as it was made, and the question takes a second.
    """
    try:
        key = load_der_private_key(data, password=None, unsafe_skip_rsa_key_validation=True)
    except ValueError as error:
        raise Corrupt("sealed private key is no PKCS #8") from error
    if not isinstance(key, PrivateKey):
        raise Corrupt(f"sealed private key is neither RSA nor EC but {type(key).__name__}")
    return key


def load_public_key(pem: str) -> PublicKey:
    """Return the key of a public key or of a signing request in PEM; Usage if it is none, or too weak.

    Of a signing request the key alone is taken, once its signature has shown that the asker holds the private one.
    """
    try:
        if "CERTIFICATE REQUEST" in pem:
            request = x509.load_pem_x509_csr(pem.encode())
            if not request.is_signature_valid:
                raise Usage("signing request is not signed by the key that it is for: make it again")
            key: PublicKeyTypes = request.public_key()
        else:
            key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Usage("public key cannot be read: give a public key or a signing request in PEM") from error
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= RSA_BITS_MIN:
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in CURVES:
        return key
    raise Usage(f"public key is of no kind that is certified: give RSA of {RSA_BITS_MIN} bits or more, or a NIST curve")
