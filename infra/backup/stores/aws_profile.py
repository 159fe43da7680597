"""Credentials and settings in the files that AWS's own tools share: `~/.aws/credentials` and `~/.aws/config`."""

import os
from collections.abc import Callable
from configparser import ConfigParser
from configparser import Error as ConfigError
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from domain.errors import Usage, WrongKey

if TYPE_CHECKING:
    from obstore.store import S3Credential

READ_AGAIN = timedelta(minutes=5)
"""Whoever rotates the keys in the file of a running process is followed in this time."""

_UNREAD = ("role_arn", "sso_session", "sso_start_url", "credential_process", "web_identity_token_file")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a profile says of the service; None where it says nothing."""

    region: str | None
    endpoint: str | None


def settings() -> Settings:
    """The settings of the profile that AWS_PROFILE names, or of the default one."""
    profile = values()
    return Settings(profile.get("region"), profile.get("endpoint_url"))


def find() -> "Callable[[], S3Credential] | None":
    """What gives the keys of the profile that AWS_PROFILE names, or of the default one; None if there is none.

    Raise `Usage` for a profile that is not there, or gets its keys in a way that only AWS's own tools know, and
    `WrongKey` for half a key.
    """
    profile = values()
    if "aws_access_key_id" in profile:
        _credential()  # what is wrong with it is said here; a client says only that it was refused
        return _credential
    name = os.environ.get("AWS_PROFILE")
    unread = [key for key in _UNREAD if key in profile]
    if unread:
        raise Usage(
            f"the AWS profile {name or 'default'} has its keys by {unread[0]}, which is not read here: "
            "give them by `aws configure export-credentials --format env`"
        )
    if name and not profile:
        raise Usage(f"there is no AWS profile {name} in ~/.aws/credentials and ~/.aws/config")
    return None


def _credential() -> "S3Credential":
    profile = values()
    try:
        return {
            "access_key_id": profile["aws_access_key_id"],
            "secret_access_key": profile["aws_secret_access_key"],
            "token": profile.get("aws_session_token"),
            "expires_at": datetime.now(UTC) + READ_AGAIN,
        }
    except KeyError as error:
        raise WrongKey(f"the AWS profile {os.environ.get('AWS_PROFILE', 'default')} lacks {error}") from None


def values() -> dict[str, str]:
    """Everything that the profile says which AWS_PROFILE names, or the default one; it holds secrets."""
    name = os.environ.get("AWS_PROFILE", "default")
    shared = _section("AWS_SHARED_CREDENTIALS_FILE", "credentials", name)
    return _section("AWS_CONFIG_FILE", "config", name if name == "default" else f"profile {name}") | shared


def _section(variable: str, file: str, section: str) -> dict[str, str]:
    path = Path(os.environ.get(variable, f"~/.aws/{file}")).expanduser()
    parser = ConfigParser(interpolation=None, default_section="", strict=False)
    try:
        parser.read(path, "utf-8")
    except (OSError, ConfigError, UnicodeError):
        raise Usage(f"cannot read {path} as a file of AWS profiles") from None
    return dict(parser[section]) if section in parser else {}
