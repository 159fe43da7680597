"""X.509 certificates as facts: what is read from one, in the words of the resources' states."""

import base64

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from domain.certificate_authority import CertificateFields
from domain.errors import Usage
from domain.instant import from_datetime
from domain.public_certificate import CertificateFacts

KEY_PURPOSES = {
    "serverAuth": ExtendedKeyUsageOID.SERVER_AUTH,
    "clientAuth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "codeSigning": ExtendedKeyUsageOID.CODE_SIGNING,
    "emailProtection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "timeStamping": ExtendedKeyUsageOID.TIME_STAMPING,
    "OCSPSigning": ExtendedKeyUsageOID.OCSP_SIGNING,
}
"""Extended key usages by their names in RFC 5280, 4.2.1.12."""

KEY_USAGES = {
    "digitalSignature": "digital_signature",
    "nonRepudiation": "content_commitment",
    "keyEncipherment": "key_encipherment",
    "dataEncipherment": "data_encipherment",
    "keyAgreement": "key_agreement",
    "keyCertSign": "key_cert_sign",
    "cRLSign": "crl_sign",
}
"""Key usages by their names in RFC 5280, 4.2.1.3, without the two that only narrow key agreement."""


def certificate_facts(pem_or_der: bytes) -> CertificateFacts:
    """Return the facts of a certificate in PEM, in DER, or in base64 of DER as federation metadata has it.

    Raises Usage if it is no certificate.
    """
    return facts(load_certificate(pem_or_der))


def load_certificate(pem_or_der: bytes) -> x509.Certificate:
    """Return the certificate; see `certificate_facts`."""
    try:
        if b"-----BEGIN" in pem_or_der:
            return x509.load_pem_x509_certificate(pem_or_der)
        text = b"".join(pem_or_der.split())
        if text.startswith(b"MI"):  # DER begins with the bytes 30 8x, and so its base64 with these letters
            return x509.load_der_x509_certificate(base64.b64decode(text, validate=True))
        return x509.load_der_x509_certificate(pem_or_der)
    except ValueError as error:
        raise Usage("certificate cannot be read: give it as PEM, DER or base64 of DER") from error


def facts(certificate: x509.Certificate) -> CertificateFacts:
    """Return what tells the certificate."""
    return CertificateFacts(
        # The name by which Windows and Azure know a certificate; it proves nothing and need not.
        thumbprint=certificate.fingerprint(SHA1()).hex().upper(),  # noqa: S303
        notBefore=from_datetime(certificate.not_valid_before_utc),
        notAfter=from_datetime(certificate.not_valid_after_utc),
        subject=certificate.subject.rfc4514_string(),
    )


def certificate_fields(certificate: x509.Certificate) -> CertificateFields:
    """Return the fields that the states of roots and of issued certificates share."""
    return CertificateFields(
        **facts(certificate), certificate=pem(certificate), serialNumber=f"{certificate.serial_number:x}"
    )


def pem(certificate: x509.Certificate) -> str:
    """Return the PEM text."""
    return certificate.public_bytes(Encoding.PEM).decode("ascii")


def alternative_names(certificate: x509.Certificate) -> list[str]:
    """Return the DNS names and the IP addresses that the certificate is for."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]


def key_usage(certificate: x509.Certificate) -> list[str]:
    """Return the names of the key usages that the certificate states."""
    try:
        stated = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return []
    return [name for name, attribute in KEY_USAGES.items() if getattr(stated, attribute)]


def extended_key_usage(certificate: x509.Certificate) -> list[str]:
    """Return the names of the extended key usages that the certificate states, those that have one."""
    try:
        stated = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return []
    return [name for name, purpose in KEY_PURPOSES.items() if purpose in stated]
