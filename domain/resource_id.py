"""ARM resource ids: how they are checked, compared and taken apart.

An id is shown as it was written and compared after folding. The folding is fixed for ever: it decides the originator
id of every recorded event.
"""

import re
import unicodedata
from functools import lru_cache
from hashlib import sha1
from struct import Struct
from uuid import UUID

from domain.errors import Usage

BYTES_MAX = 1024
"""In UTF-8, as written and folded: two ids fit into one index entry of every database."""
ORIGINATOR_NAMESPACE = UUID("6f1c1a0e-6b2b-5b0e-9a53-7d0f6c3f2b11")
_NAMESPACE = ORIGINATOR_NAMESPACE.bytes
_two = Struct(">QQ")
PROVIDERS = "providers"
SCOPES_KNOWN_MAX = 5_000
"""Of so many scopes what follows from their ids is remembered: each decision asks for it several times."""
FORBIDDEN = frozenset("%?#\\&<>")
PLAIN_SEGMENT = re.compile(r"[A-Za-z0-9._:@+=-]+")
"""What nearly every segment is made of, and what needs no look at each character."""
PLAIN_ID = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._:@+=-]+)+")
"""An id of such segments, none of them dotted: nearly every id."""


def fold(resource_id: str) -> str:
    """Return the form in which equal ids are equal: NFC and casefold, until nothing changes (Unicode 3.13, D145)."""
    if resource_id.isascii():
        return resource_id.lower()
    while True:
        folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", resource_id).casefold())
        if folded == resource_id:
            return folded
        resource_id = folded


def originator_id(folded: str) -> bytes:
    """Return the 16 bytes of the UUIDv5 of a folded id: what the log knows a resource by, and finds it with."""
    high, low = _two.unpack_from(sha1(_NAMESPACE + folded.encode(), usedforsecurity=False).digest())
    return _two.pack(high & ~0xF000 | 0x5000, low & ~(0xC0 << 56) | 0x80 << 56)


def check(resource_id: str) -> str:
    """Return the id unchanged, or raise Usage that says what is wrong with it."""
    if len(resource_id) <= BYTES_MAX and PLAIN_ID.fullmatch(resource_id):
        return resource_id
    size_bytes = max(len(_utf8(resource_id)), len(_utf8(fold(resource_id))))
    if size_bytes > BYTES_MAX:
        raise Usage(f"resource id of {size_bytes} bytes: {BYTES_MAX} at most")
    if resource_id == "/":
        return resource_id
    if not resource_id.startswith("/"):
        raise Usage(f"resource id {resource_id!r} does not start with '/'")
    for segment in resource_id[1:].split("/"):
        check_segment(segment, resource_id)
    return resource_id


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def check_segment(segment: str, resource_id: str) -> None:
    """Raise Usage unless `segment` can stand between two slashes of an id."""
    if not segment or segment != segment.strip() or segment in (".", ".."):
        raise Usage(f"resource id {resource_id!r} has an empty, dotted or space-padded segment")
    if PLAIN_SEGMENT.fullmatch(segment):
        return
    bad = [c for c in segment if c in FORBIDDEN or unicodedata.category(c)[0] == "C"]
    if bad:
        raise Usage(f"resource id {resource_id!r} holds the character {bad[0]!r}, which ids may not hold")


def child(parent: str, *segments: str) -> str:
    """Return `parent/segments…`, checked; `parent` may be the root scope '/'."""
    return check("/".join([parent.rstrip("/"), *segments]))


def provided(scope: str, namespace: str, *segments: str) -> str:
    """Return the id of a provider's resource under a scope: `{scope}/providers/{namespace}/{segments…}`."""
    return child(scope, PROVIDERS, namespace, *segments)


def name(resource_id: str) -> str:
    """Return the last segment."""
    return resource_id.rsplit("/", 1)[-1]


def parent_scopes(scope: str) -> list[str]:
    """Return the scope itself and every enclosing ARM scope by its path, narrowest first, the root '/' last.

    An ARM id is a row of pairs (`subscriptions/{s}`, `resourceGroups/{g}`, `providers/{namespace}`, `{type}/{name}` …),
    and every shorter row encloses it, except those that end with a bare namespace. The management groups above a
    subscription are no part of the path; see `domain.management_group.enclosing_scopes`.
    """
    return list(_chain(scope))


@lru_cache(maxsize=SCOPES_KNOWN_MAX)
def _chain(scope: str) -> tuple[str, ...]:
    parts = scope.strip("/").split("/")
    chain = []
    for end in range(len(parts), 1, -2):
        if fold(parts[end - 2]) != PROVIDERS:
            chain.append("/" + "/".join(parts[:end]))
    return (*chain, "/")


def extended_scope(extension_id: str) -> str:
    """Return the scope that an extension stands on: `S` of `S/providers/Microsoft.Authorization/roleAssignments/x`.

    An id without a provider is no extension, and stands for itself.
    """
    parts = extension_id.split("/")
    at = max((i for i, part in enumerate(parts[:-1]) if fold(part) == PROVIDERS), default=len(parts))
    return "/".join(parts[:at]) or "/"
