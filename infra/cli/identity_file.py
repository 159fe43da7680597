"""Identity files, as commands are given them; the password of a PFX comes from a file, or is asked for."""

from pathlib import Path

from infra.backup.age import AgeIdentity, read_identity_file
from infra.cli import file, settings


def read(path: Path) -> tuple[AgeIdentity, ...]:
    """Return the identities of a file."""
    return read_identity_file(path, lambda: _password(path))


def _password(path: Path) -> bytes:
    return file.read_secret(settings.load().identity_password_file, f"password of {path}").encode()
