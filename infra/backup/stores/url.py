"""From the location that an operator writes to the store that it names."""

import re
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from domain.errors import Usage
from infra.backup.stores.directory import DirectoryStore
from infra.backup.stores.patience import Patience
from infra.backup.stores.store import Store

# obstore, smbprotocol and what they bring are loaded only when a location needs them: they take longer than a command.

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._$-]{1,62}")
_KEY_PART = re.compile(r"(?!\.{1,2}(?:/|$))[A-Za-z0-9._=+-]+")
_SHARE_PART = re.compile(r"(?!\.{1,2}$)[^\\/:*?\"<>|\x00-\x1f]+(?<![. ])")
_FORMS = {
    "s3": "s3://BUCKET/PREFIX",
    "azure": "azure://CONTAINER/PREFIX",
    "smb": "smb://SERVER[:PORT]/SHARE/FOLDER",
}

LOCATION_FORMS = ("file:///FOLDER", *_FORMS.values())
"""The forms of a location, in the words of all help."""


def open_store(url: str, *, create: bool = False, patience: Patience | None = None) -> Store:
    """Open `file:///absolute/path` or a plain path, or one of the forms above (docs/reference/repository-locations.md).

    With `create` a missing directory or folder is made; a bucket, container or share never. Raise `Unavailable` when
    the place is not there, and `Usage` for any other location, whose text is not repeated because it may hold
    credentials: they have other ways.
    """
    scheme, _, rest = url.partition(":")
    kind = scheme.lower()
    if kind not in _FORMS or not rest.startswith("//"):
        return DirectoryStore(_path(url), create=create)
    parts = _parts(url, kind)
    patience = patience or Patience()
    if kind == "smb":
        return _open_share(parts, patience, create=create)
    path = parts.path.removeprefix("/").removesuffix("/")
    if not _BUCKET.fullmatch(parts.netloc) or not all(_KEY_PART.fullmatch(part) for part in path.split("/") if path):
        raise Usage(f"the location is not {_FORMS[kind]}, with letters, digits, dots, dashes and underscores")
    if kind == "s3":
        from infra.backup.stores.s3 import open_s3

        return open_s3(parts.netloc, path, patience)
    from infra.backup.stores.azure import open_azure

    return open_azure(parts.netloc, path, patience)


def _parts(url: str, kind: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        if parts.username is not None or parts.password is not None:
            raise Usage(f"credentials do not belong into a location: it is {_FORMS[kind]}")
        if parts.query or parts.fragment or "\0" in url:
            raise ValueError
        parts.port  # noqa: B018 (raises if it is no number)
    except ValueError:
        raise Usage(f"the location is not {_FORMS[kind]}") from None
    return parts


def _open_share(parts: SplitResult, patience: Patience, *, create: bool) -> Store:
    share, _, folder = unquote(parts.path).removeprefix("/").removesuffix("/").partition("/")
    below = folder.split("/") if folder else []
    if not parts.hostname or not all(_SHARE_PART.fullmatch(part) for part in (share, *below)):
        raise Usage(f"the location is not {_FORMS['smb']}")
    from infra.backup.stores import smb_credentials
    from infra.backup.stores.smb import SmbStore
    from infra.backup.stores.smb_share import PORT, Share

    location = f"smb://{parts.netloc}{parts.path.removesuffix('/')}"
    unc = f"\\\\{parts.hostname}\\{share}"
    opened = Share(unc, parts.port or PORT, location, smb_credentials.find(), patience)
    return SmbStore(opened, folder, create=create)


def _path(url: str) -> Path:
    scheme, separator, rest = url.partition(":")
    if scheme.lower() == "file" and separator:
        path = _file_url_path(url)
    elif separator and rest.startswith("//"):
        known = ", ".join(LOCATION_FORMS)
        raise Usage(f"there are no repositories at {scheme}://, but at {known}")
    else:
        path = url
    if not path or "\0" in path:
        raise Usage("a repository's location is file:///absolute/path or a plain path")
    return Path(path)


def _file_url_path(url: str) -> str:
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/") or parts.query or parts.fragment:
        raise Usage("a file URL is file:///absolute/path, with %3F for ? and %23 for #")
    return unquote(parts.path, errors="surrogateescape")
