"""`resurgam key escrow` and `resurgam key join`: an identity in shares for custodians, and out of them again."""

import getpass
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from domain.errors import Refused, Unavailable, Usage
from infra.backup import escrow
from infra.backup.age import NativeIdentity, X509Identity, fingerprint, format_identity
from infra.backup.escrow import Share
from infra.cli import file, identity_file, output
from infra.cli.options import Json, example, group

SHARE_BYTES_MAX = 64 * 1024
CLEAR = "\x1b[H\x1b[2J\x1b[3J"
"""Clears a terminal, and what was scrolled out of it."""

app = group("Split identities for custodians.")


@app.command(
    "escrow",
    epilog=example("resurgam key escrow --identity identity.txt --threshold 3 --shares 5 --output shares"),
)
def split(
    identity: Annotated[Path, typer.Option(metavar="FILE", help="The identity to split.", show_default=False)],
    threshold: Annotated[int, typer.Option(metavar="K", help="How many shares join it.", show_default=False)],
    shares: Annotated[int, typer.Option(metavar="N", help="How many there are, 16 at most.", show_default=False)],
    target: Annotated[
        Path | None,
        typer.Option(
            "--output", metavar="FOLDER", help="Write each into a new file of mode 0600 there.", show_default=False
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Split an identity into shares of 35 words for custodians; any K of the N join it again.

    Fewer than K tell nothing about it. Without --output each share is shown alone on the terminal, and cleared before
    the next. Each share is joined with others to see that it works, before the first is written.
    """
    whole = _only_identity(identity)
    texts = [
        escrow.shown(words, number=number, shares=shares, threshold=threshold, of=whole)
        for number, words in enumerate(escrow.split(whole, threshold, shares), 1)
    ]
    answer: dict[str, object] = {
        "fingerprint": fingerprint(whole.recipient),
        "threshold": threshold,
        "shares": shares,
    }
    if target is None:
        _show(texts, as_json=as_json)
    else:
        answer["files"] = [str(path) for path in _write(target, texts)]
    output.write_json(answer) if as_json else output.write_fields(answer.items())


@app.command(
    "join",
    epilog=example("resurgam key join --output identity.txt share-1-of-5.txt share-4-of-5.txt share-5-of-5.txt"),
)
def join(
    target: Annotated[
        Path,
        typer.Option("--output", metavar="FILE", help="The identity's new file of mode 0600.", show_default=False),
    ],
    sources: Annotated[
        list[Path] | None, typer.Argument(metavar="SHARE", help="Files of shares, in any order.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Join the shares of custodians to the identity again, and print its recipient.

    Without files the words of each share are asked for on the terminal, and not shown. Ends with 2 if a word is wrong,
    and says which if it can be told; with 3 if shares are missing or of several sets; with 6 if they do not fit.
    """
    given = [_read(path) for path in sources] if sources else _asked()
    identity = escrow.join(given)
    file.create_private(target, format_identity(identity, created=datetime.now(UTC)).encode())
    found = {"fingerprint": fingerprint(identity.recipient), "recipient": str(identity.recipient)}
    if as_json:
        output.write_json(found)
    else:
        output.write_text(found["recipient"])
        output.note(f"the identity {found['fingerprint']} is in {target}: keep it offline, or destroy it after use")


def _only_identity(path: Path) -> NativeIdentity:
    identities = identity_file.read(path)
    if len(identities) != 1:
        raise Usage(f"{path} holds {len(identities)} identities: split them one by one, from a file each")
    [identity] = identities
    if isinstance(identity, X509Identity):
        raise Usage(f"{path} is a PFX, whose key is too large to be shared as words: split an identity of age")
    return identity


def _write(folder: Path, texts: list[str]) -> list[Path]:
    """Write every share into a file of its own, or none."""
    paths = [folder / f"share-{number}-of-{len(texts)}.txt" for number in range(1, len(texts) + 1)]
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise Unavailable(f"{folder} cannot be made: {os.strerror(error.errno or 0)}") from error
    if taken := [path for path in paths if path.exists()]:
        raise Refused(f"{taken[0]} exists: it is never overwritten, name another folder", rule="file-is-new")
    written: list[Path] = []
    try:
        for path, text in zip(paths, texts, strict=True):
            file.create_private(path, text.encode())
            written.append(path)
    except (Refused, Unavailable):
        for path in written:
            path.unlink()
        raise
    return paths


def _show(texts: list[str], *, as_json: bool) -> None:
    """Show one share after the other to one custodian after the other."""
    if as_json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Usage("shares are shown one at a time on a terminal only: name a folder with --output")
    for number, text in enumerate(texts, 1):
        sys.stdout.write(CLEAR)
        output.write_text(text)
        typer.prompt(f"Custodian {number}: write it down, then press Enter", default="", show_default=False)
        sys.stdout.write(CLEAR)


def _read(path: Path) -> Share:
    try:
        text = file.read(path, SHARE_BYTES_MAX).decode("utf-8-sig")
    except UnicodeDecodeError:
        # Not chained: the foreign error holds the content.
        raise Usage(f"{path} is not text") from None
    return escrow.parse(text, str(path))


def _asked() -> list[Share]:
    """Ask for shares until there are enough of them; a share that is wrong is asked for again."""
    if not sys.stdin.isatty():
        raise Usage("name the files of the shares, or type their words on a terminal")
    found: dict[int, Share] = {}
    while not found or len(found) < next(iter(found.values())).threshold:
        try:
            share = escrow.parse(getpass.getpass(f"words of share {len(found) + 1}: "), f"share {len(found) + 1}")
        except Usage as error:
            output.note(str(error))
            continue
        if share.number in found:
            output.note(f"that is number {share.number}, which was given already")
        found[share.number] = share
    return list(found.values())
