"""What the commands on repositories share: their options, and the repository that the settings name."""

import re
from pathlib import Path
from typing import Annotated

import typer

from domain.errors import Corrupt, NotFound, Refused, Usage
from infra.backup.age import AgeIdentity
from infra.backup.repository import Repository
from infra.backup.stores.store import Store
from infra.backup.stores.url import LOCATION_FORMS, open_store
from infra.backup.verification import Expectation
from infra.cli import file, identity_file
from infra.cli.settings import Settings
from infra.keys import base64_text
from infra.keys.signer import Verifier

CHECKPOINT_BYTES_MAX = 64 * 1024
EXPECTED = re.compile(r"(?P<size>\d{1,18}):(?P<root>[A-Za-z0-9+/]{43}=)")

LOCATIONS = ", ".join(LOCATION_FORMS)
Location = Annotated[
    str | None,
    typer.Option("--repository", metavar="URL", help=f"Where backups live: {LOCATIONS}.", show_default=False),
]
Identity = Annotated[
    Path | None,
    typer.Option("--identity", metavar="FILE", help="The file of the identity that opens backups.", show_default=False),
]
Deployment = Annotated[
    str | None,
    typer.Option("--deployment", metavar="ID", help="Whose backups, if there are several.", show_default=False),
]
NamedVerifier = Annotated[
    str | None,
    typer.Option("--verifier", metavar="TEXT", help="The signer's public half, from your records.", show_default=False),
]
Expect = Annotated[
    str | None,
    typer.Option(
        "--expect",
        metavar="CHECKPOINT",
        help="A checkpoint that the backup must reach and contain: a file, or SIZE:ROOT.",
        show_default=False,
    ),
]
AcceptDamage = Annotated[
    bool, typer.Option("--accept-damage", help="Take the newest good backup before a damaged one.")
]
TrustFirstUse = Annotated[
    bool, typer.Option("--trust-first-use", help="Believe a signer that nothing speaks for; the report says so.")
]

NewRepository = Annotated[bool, typer.Option("--new-repository", help="Begin a repository where there is none.")]


def location(settings: Settings) -> str:
    """Return where the repository is; Usage if nothing says so."""
    if settings.repository is None:
        raise Usage(f"no repository is named: use --repository URL or set RESURGAM_REPOSITORY ({LOCATIONS})")
    return settings.repository


def place(settings: Settings) -> Store:
    """Open the place where the repository is, or will be; nothing in it is looked at."""
    return open_store(location(settings))


def opened(settings: Settings) -> Repository:
    """Open the repository to read from it."""
    return Repository.open(open_store(location(settings)))


def opened_or_created(settings: Settings) -> Repository:
    """Open the repository to write into it; its folder must exist, or its parent."""
    return Repository.open_or_create(open_store(location(settings), create=True))


def opened_for_backup(settings: Settings, *, has_backups: bool, is_new: bool) -> Repository:
    """Open the repository to write into it, made if this is the deployment's first or if the operator says so.

    Refused otherwise: an empty folder where backups were is a lost mount, and a backup into it would look like success.
    """
    if is_new or not has_backups:
        return opened_or_created(settings)
    try:
        return opened(settings)
    except NotFound:
        raise Refused(
            f"{location(settings)} holds no repository, but this deployment has made backups: if a mount is gone "
            "bring it back, else begin a repository there with --new-repository",
            rule="repository-is-there",
        ) from None


def identities(path: Path | None) -> tuple[AgeIdentity, ...]:
    """Return the identities of a file; Usage if none was named."""
    if path is None:
        raise Usage("no identity is named: use --identity FILE")
    return identity_file.read(path)


def parse_verifier(text: str | None) -> Verifier | None:
    """Return the verifier of a flag."""
    try:
        return None if text is None else Verifier.from_text(text)
    except Corrupt as error:
        raise Usage(f"--verifier: {error}") from None


def parse_expectation(text: str | None) -> Expectation | None:
    """Return what `SIZE:ROOT` or a checkpoint's file asks for; whoever gives it vouches for it, unsigned."""
    if text is None:
        return None
    match = EXPECTED.fullmatch(text)
    if match is not None:
        return _expectation(match["size"], match["root"], text)
    lines = file.read(Path(text), CHECKPOINT_BYTES_MAX).decode("utf-8", "replace").split("\n")
    if len(lines) < 3 or not lines[1].isascii() or not lines[1].isdigit():
        raise Usage(f"{text} is no checkpoint: its first lines are the log's name, its size and its root")
    return _expectation(lines[1], lines[2], text)


def _expectation(size: str, root: str, text: str) -> Expectation:
    try:
        return Expectation(int(size), base64_text.decode(root))
    except ValueError:
        raise Usage(f"{text} holds no Merkle root in base64") from None
