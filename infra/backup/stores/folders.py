"""The names in a tree of folders, in the order of a store's listing."""

from collections.abc import Callable, Iterator

from infra.backup.stores.store import is_name

Entries = list[tuple[str, bool]]
"""What is in a folder: names, and whether they are folders."""

Read = Callable[[str], Entries]
"""Reads the folder of that name, which ends with a slash unless it is the root."""


def names(read: Read, prefix: str, after: str, folder: str = "") -> Iterator[str]:
    """Yield the names of objects below a folder that start with `prefix` and come after `after`, by code point.

    Only folders are read that may hold one. Whatever has an object's name and is no folder counts as an object, links
    and pipes too: they fail when they are read, and do not hide.
    """
    # A folder's name ends with a slash here, to sort as its objects do.
    entries = (folder + name + "/" * is_folder for name, is_folder in read(folder))
    found = [name for name in entries if _is_asked_for(name, prefix, after)]
    for name in sorted(name for name in found if is_name(name.removesuffix("/"))):
        if name.endswith("/"):
            yield from names(read, prefix, after, name)
        else:
            yield name


def _is_asked_for(name: str, prefix: str, after: str) -> bool:
    """Whether a listing yields an object of that name, or may yield one of a folder, whose name ends with a slash."""
    if name.endswith("/"):
        return (name.startswith(prefix) or prefix.startswith(name)) and (name > after or after.startswith(name))
    return name > after and name.startswith(prefix)
