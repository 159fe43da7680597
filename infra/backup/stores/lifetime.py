"""Lifetimes: until when what a place is reached with lasts, as far as the environment and the place itself tell."""

import os
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12

from domain.errors import ResurgamError
from domain.instant import from_datetime
from infra.backup.stores import aws_profile

CONNECT_S = 10

ENDPOINT = "endpoint certificate"
SIGNATURE = "shared access signature"
SESSION = "session token"

_SESSION_ENDS = ("aws_expiration", "expiration", "x_security_token_expires", "aws_session_expiration")
"""What tools that write sessions into a profile's file call its end."""


@dataclass(frozen=True, slots=True)
class Lifetime:
    """One thing that a place is reached with; `expires` is None if it has no end, or none that can be seen from here.

    `words` say what it is and, without an end, why. If it `is_renewed` somebody sees to it before it ends.
    """

    what: str
    expires: str | None
    words: str
    is_renewed: bool = False


def lifetimes(location: str) -> list[Lifetime]:
    """Return what is known of a repository's location; a folder is reached with nothing that ends."""
    kind = location.partition("://")[0].lower()
    found = {"s3": _s3, "azure": _azure, "smb": _smb}.get(kind)
    return list(found(location)) if found else []


def _s3(location: str) -> Iterator[Lifetime]:
    from infra.backup.stores import s3

    settings = aws_profile.settings()
    if os.environ.get("AWS_ACCESS_KEY_ID"):
        ends = os.environ.get("AWS_CREDENTIAL_EXPIRATION")
        yield _key("the environment", bool(os.environ.get("AWS_SESSION_TOKEN")), ends, "AWS_CREDENTIAL_EXPIRATION")
    elif "aws_access_key_id" in (profile := aws_profile.values()):
        ends = next((profile[name] for name in _SESSION_ENDS if name in profile), None)
        yield _key("the profile's file", "aws_session_token" in profile, ends, "x_security_token_expires", renewed=True)
    else:
        yield Lifetime("role", None, "the role of this machine renews its keys by itself", is_renewed=True)
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or settings.region or "us-east-1"
    own = next((os.environ[name] for name in s3.ENDPOINTS if os.environ.get(name)), settings.endpoint)
    yield from _endpoint(own or f"https://s3.{region}.amazonaws.com")


def _key(source: str, is_session: bool, ends: str | None, name: str, *, renewed: bool = False) -> Lifetime:
    if not is_session:
        return Lifetime("access key", None, f"the access key of {source} has no end: rotate it by a calendar")
    if (instant := _instant(ends)) is not None:
        return Lifetime(SESSION, instant, f"the session token of {source}", is_renewed=renewed)
    words = f"it cannot be seen from here when the session token of {source} ends: {name} can say so"
    return Lifetime(SESSION, None, words, is_renewed=renewed)


def _azure(location: str) -> Iterator[Lifetime]:
    from infra.backup.stores import azure

    config: Mapping[str, object] = {**azure.settings()}
    environment = os.environ
    certificate = environment.get("AZURE_CLIENT_CERTIFICATE_PATH")
    token = config.get("sas_key") or environment.get("AZURE_STORAGE_SAS_TOKEN") or environment.get("AZURE_SAS_TOKEN")
    if config.get("account_key") or environment.get("AZURE_STORAGE_ACCOUNT_KEY"):
        yield Lifetime("account key", None, "the account's key has no end, and may do everything: use another way")
    elif environment.get("AZURE_FEDERATED_TOKEN_FILE"):
        yield Lifetime("workload identity", None, "the workload identity renews its token by itself", is_renewed=True)
    elif environment.get("AZURE_CLIENT_SECRET"):
        words = "it cannot be seen from here when the secret of AZURE_CLIENT_ID ends: its directory says so"
        yield Lifetime("client secret", None, words)
    elif token:
        yield _signature(str(token))
    elif not certificate:
        yield Lifetime("managed identity", None, "the managed identity renews its token by itself", is_renewed=True)
    if certificate:
        yield _client_certificate(Path(certificate))
    account = config.get("account_name") or environment.get("AZURE_STORAGE_ACCOUNT_NAME")
    own = next((environment[name] for name in azure.ENDPOINTS if environment.get(name)), config.get("endpoint"))
    yield from _endpoint(str(own or f"https://{account}.blob.core.windows.net"))


def _signature(token: str) -> Lifetime:
    """A shared access signature says its end, unless that stands in a policy of the container."""
    fields = parse_qs(token.removeprefix("?"))
    if (instant := _instant(fields.get("se", [None])[0])) is not None:
        return Lifetime(SIGNATURE, instant, "the shared access signature")
    where = "its stored access policy says so" if "si" in fields else "it does not say so"
    return Lifetime(SIGNATURE, None, f"it cannot be seen from here when the shared access signature ends: {where}")


def _client_certificate(path: Path) -> Lifetime:
    try:
        certificate = _read_certificate(path.read_bytes())
    except (OSError, ValueError):
        words = f"it cannot be seen from here when {path} ends, which AZURE_CLIENT_CERTIFICATE_PATH names: it is read "
        return Lifetime("client certificate", None, f"{words}neither as PEM nor as PKCS #12")
    return Lifetime("client certificate", _not_after(certificate), f"the client certificate {path}")


def _read_certificate(data: bytes) -> x509.Certificate:
    if b"-----BEGIN CERTIFICATE-----" in data:
        return x509.load_pem_x509_certificate(data[data.index(b"-----BEGIN CERTIFICATE-----") :])
    password = os.environ.get("AZURE_CLIENT_CERTIFICATE_PASSWORD")
    _, certificate, _ = pkcs12.load_key_and_certificates(data, password.encode() if password else None)
    if certificate is None:
        raise ValueError("no certificate")
    return certificate


def _smb(location: str) -> Iterator[Lifetime]:
    from infra.backup.stores import smb_credentials

    try:
        has_password = smb_credentials.find().password is not None
    except ResurgamError:
        has_password = True  # what is wrong with it, opening the share says
    what = "password" if has_password else "Kerberos ticket"
    yield Lifetime(what, None, f"it cannot be seen from here when the {what} ends: ask who runs the share")


def _endpoint(url: str) -> Iterator[Lifetime]:
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        return
    host, port = parts.hostname, parts.port or 443
    try:
        certificate = peer_certificate(host, port)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        words = f"it cannot be seen from here when the certificate of {host}:{port} ends: {reason}"
        yield Lifetime(ENDPOINT, None, words)
    else:
        yield Lifetime(ENDPOINT, _not_after(certificate), f"the certificate of {host}:{port}")


def peer_certificate(host: str, port: int, timeout_s: float = CONNECT_S) -> x509.Certificate:
    """Return the certificate that a server shows, also one that nobody should trust: only its dates are looked at."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection((host, port), timeout_s) as connection,
        context.wrap_socket(connection, server_hostname=host) as secured,
    ):
        shown = secured.getpeercert(binary_form=True)
    if shown is None:
        raise ValueError("no certificate")
    return x509.load_der_x509_certificate(shown)


def _not_after(certificate: x509.Certificate) -> str:
    return from_datetime(certificate.not_valid_after_utc)


def _instant(text: str | None) -> str | None:
    """Return the instant of ISO 8601, where a day begins at midnight and no zone is UTC; None for anything else."""
    try:
        moment = datetime.fromisoformat((text or "").strip())
    except ValueError:
        return None
    return from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
