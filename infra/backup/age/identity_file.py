"""Identity files: one identity a line between comments and blank lines, as age-keygen writes them, or a PFX."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from domain.errors import NotFound, Unavailable, Usage
from infra.backup.age.recipient import AgeIdentity, NativeIdentity, parse_identity
from infra.backup.age.x509_rsa import is_pfx, open_pfx

_SIZE_MAX_BYTES = 1 << 20


def read_identity_file(path: Path, password: Callable[[], bytes] | None = None) -> tuple[AgeIdentity, ...]:
    """All identities of a file, in its order; errors name the file and the line, never what stands there.

    A PFX is one identity; its password is asked for only if it has one.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_SIZE_MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise NotFound(f"identity file {path} does not exist") from error
    except OSError as error:
        raise Unavailable(f"identity file {path} cannot be read: {error.strerror}") from error
    if len(content) > _SIZE_MAX_BYTES:
        raise Usage(f"identity file {path} is larger than {_SIZE_MAX_BYTES} bytes: this is no identity file")
    if is_pfx(content):
        return (open_pfx(content, password, name=str(path)),)
    return parse_identities(content, name=str(path))


def parse_identities(content: bytes, *, name: str) -> tuple[NativeIdentity, ...]:
    """The identities in the content of an identity file; `name` is what errors call it."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Not chained: the foreign error holds the content.
        raise Usage(f"identity file {name} is not text") from None
    identities = []
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        try:
            identities.append(parse_identity(line))
        except Usage as error:
            raise Usage(f"{name} line {number}: {error}") from error
    if not identities:
        raise Usage(f"identity file {name} holds no identity: it needs a line that begins with AGE-SECRET-KEY-")
    return tuple(identities)


def format_identity(identity: NativeIdentity, *, created: datetime) -> str:
    """The text of an identity file, to be written where only its owner can read it; `created` must know its offset."""
    if created.tzinfo is None:
        raise ValueError("created needs a time zone")
    return (
        f"# created: {created.isoformat(timespec='seconds')}\n"
        f"# public key: {identity.recipient}\n"
        f"{identity.secret_text()}\n"
    )
