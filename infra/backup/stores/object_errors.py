"""What an object service's errors mean; their own text is not repeated, since it may hold a signature or a token."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    InvalidPathError,
    PermissionDeniedError,
    UnauthenticatedError,
)

from domain.errors import Conflict, NotFound, ResurgamError, Unavailable, WrongKey

_STATUS = re.compile(r"(?:status code: |\(code: )(\d{3})")
_CODE = re.compile(r"<Code>(\w{1,64})</Code>")
_PATH = re.compile(r'Path "([^"]*)"')
_NO_PLACE = frozenset({"NoSuchBucket", "ContainerNotFound", "ResourceNotFound"})
_REFUSED_STATUS = frozenset({"401", "403"})
# AWS answers some of these with status 400.
_REFUSED = frozenset({"ExpiredToken", "InvalidToken", "TokenRefreshRequired", "InvalidAccessKeyId", "InvalidSecurity"})
UNEXPLAINED = "it answers 400"
_CLOCK = frozenset({"RequestTimeTooSkewed", "RequestExpired"})
# Where a cloud's machines get their credentials: asked when nothing else gives any.
_METADATA = re.compile(r"169\.254\.169\.254|/latest/(?:api/token|meta-data)|/metadata/identity")
_CAUSES = (
    (re.compile(r"dns error|failed to lookup"), "its name is not known: check the endpoint"),
    (re.compile(r"Connection ?[Rr]efused"), "the connection is refused: check that the service runs"),
    (re.compile(r"UnknownIssuer|CertNotValid|invalid peer certificate"), "its certificate is not trusted here"),
    (re.compile(r"TimedOut|timed out|timeout", re.IGNORECASE), "it does not answer in time"),
    (re.compile(r"BadScheme"), "plain HTTP is not allowed: use an https endpoint"),
    (re.compile(r"HTTP error"), "the connection fails"),
)


@contextmanager
def reporting(location: str, action: str, credentials: str, name: str = "") -> Iterator[None]:
    """Raise what an error of obstore means for a call; `credentials` says where they come from, for the advice."""
    try:
        yield
    except (BaseError, FileNotFoundError, ValueError) as error:
        raise _meaning(error, location, f"cannot {action} {name or location}", credentials, name) from error


def _meaning(error: Exception, location: str, failed: str, credentials: str, name: str) -> ResurgamError:
    text = str(error)
    status, code = _found(_STATUS, text), _found(_CODE, text)
    place = f"{failed} in {location}" if name else failed
    if isinstance(error, AlreadyExistsError):
        return Conflict(f"{place}: the name is taken")
    if isinstance(error, InvalidPathError):
        return Unavailable(
            f"{place}: it holds an object whose name is none, {_found(_PATH, text)!r}: remove that object, "
            "or copy the others to a folder and use the folder"
        )
    if code in _NO_PLACE:
        return Unavailable(f"{place}: there is no such bucket or container, which Resurgam never makes")
    if name and (isinstance(error, FileNotFoundError) or status == "404"):
        return NotFound(f"{location} has no object {name}")
    if code in _CLOCK:
        return Unavailable(f"{place}: {code}, the clock of this machine is off: set it")
    if _METADATA.search(text) or "Invalid Access Key" in text:
        return WrongKey(f"{place}: no usable credentials are found: give them by {credentials}")
    refused = isinstance(error, PermissionDeniedError | UnauthenticatedError) or status in _REFUSED_STATUS
    if refused or code in _REFUSED:
        return WrongKey(
            f"{place}: {code or status or 'access denied'}, the credentials are refused: check {credentials}"
        )
    if status:
        return Unavailable(f"{place}: it answers {' '.join(part for part in (status, code) if part)}")
    cause = next((words for pattern, words in _CAUSES if pattern.search(text)), type(error).__name__)
    return Unavailable(f"{place}: {cause}")


def _found(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return match[1] if match else ""
