"""Who opens an SMB share: from the environment, a file that only its owner reads, or a Kerberos ticket."""

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from domain.errors import Unavailable, Usage, WrongKey

USERNAME = "RESURGAM_SMB_USERNAME"
PASSWORD = "RESURGAM_SMB_PASSWORD"  # noqa: S105 (the name of a variable)
FILE = "RESURGAM_SMB_CREDENTIALS"
SOURCES = f"{USERNAME} and {PASSWORD}, the file that {FILE} names, or a Kerberos ticket"

_KEYS = frozenset({"username", "password", "domain"})


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user with a password; without both, the Kerberos ticket of whoever runs the process."""

    username: str | None = None
    """May be `DOMAIN\\user` or `user@REALM`."""
    password: str | None = field(default=None, repr=False)


def find() -> Credentials:
    """The credentials that the environment gives or names.

    Raise `WrongKey` for a file that others may read, and `Usage` for one that is not like that of `mount.cifs`.
    """
    username, password = os.environ.get(USERNAME), os.environ.get(PASSWORD)
    if (username is None) != (password is None):
        raise Usage(f"{USERNAME} and {PASSWORD} go together")
    if username is None and (file := os.environ.get(FILE)):
        return _read(Path(file))
    return Credentials(username, password)


def _read(path: Path) -> Credentials:
    try:
        with path.open(encoding="utf-8") as file:
            if os.fstat(file.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise WrongKey(f"{path} can be read by others: chmod 600 it, and change the password")
            lines = file.read().splitlines()
    except (OSError, UnicodeError) as error:
        raise Unavailable(f"cannot read {path}, which {FILE} names: {error}") from None
    pairs = [line.partition("=") for line in lines if line.strip() and not line.lstrip().startswith("#")]
    found = {key.strip(): value for key, _, value in pairs}
    if not found.keys() <= _KEYS or not {"username", "password"} <= found.keys():
        raise Usage(f"{path} must hold lines username=…, password=… and, if there is one, domain=…")
    username, domain = found["username"].strip(), found.get("domain", "").strip()
    return Credentials(f"{domain}\\{username}" if domain else username, found["password"])
