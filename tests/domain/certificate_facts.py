"""Facts as preparing would give them, for certificates that no decision looks into."""

from typing import Any

from domain.instant import plus_days
from tests.domain.scenario import NOW


def root_facts(key: str = "a1", *, days: int = 3650) -> dict[str, Any]:
    """Return the facts of a root whose key has this identifier."""
    return {**certificate_facts(f"CN=Root {key}", days=days), "subjectKeyIdentifier": key}


def issued_facts(serial: int, *, signed_by: str = "a1", days: int = 365) -> dict[str, Any]:
    """Return the facts of a certificate that the key with this identifier signed."""
    return {
        **certificate_facts("CN=host", serial=serial, days=days),
        "authorityKeyIdentifier": signed_by,
        "subjectAlternativeNames": ["host.example"],
        "extendedKeyUsage": ["serverAuth"],
    }


def list_facts(number: int, revoked: list[str], *, signed_by: str = "a1", at: str = NOW) -> dict[str, Any]:
    """Return the facts of a revocation list."""
    return {
        "certificateRevocationList": "MII=",
        "thisUpdate": at,
        "nextUpdate": plus_days(at, 7),
        "crlNumber": number,
        "authorityKeyIdentifier": signed_by,
        "revokedSerialNumbers": revoked,
    }


def certificate_facts(subject: str, *, serial: int = 7, days: int) -> dict[str, Any]:
    """Return what the facts of every certificate have in common."""
    return {
        "certificate": "-----BEGIN CERTIFICATE-----",
        "thumbprint": f"{serial:040X}"[-40:],
        "serialNumber": f"{serial:x}",
        "subject": subject,
        "notBefore": NOW,
        "notAfter": plus_days(NOW, days),
    }
