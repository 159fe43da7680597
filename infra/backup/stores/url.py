"""From the location that an operator writes to the store that it names."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from domain.errors import Usage
from infra.backup.stores.directory import DirectoryStore
from infra.backup.stores.store import Store


def open_store(url: str, *, create: bool = False) -> Store:
    """Open `file:///absolute/path` or a plain path; with `create` a missing directory is made.

    Raise `Unavailable` when it is not there, and `Usage` for any other location, whose text is not repeated because it
    may hold credentials.
    """
    return DirectoryStore(_path(url), create=create)


def _path(url: str) -> Path:
    scheme, separator, rest = url.partition(":")
    if scheme.lower() == "file" and separator:
        path = _file_url_path(url)
    elif separator and rest.startswith("//"):
        raise Usage(f"this release knows repositories at file:// only, not at {scheme}://")
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
