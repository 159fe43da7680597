"""Key checks: whether identities open a backup, by the headers of its objects alone (docs/reference/backup.md)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from domain.errors import Corrupt, NotFound, WrongKey
from infra.backup import manifest
from infra.backup.age import AgeIdentity, fingerprint, opens, read_header
from infra.backup.repository import Repository, Stored
from infra.backup.stores.store import Store
from infra.canonical_json import decode_canonical, encode
from infra.keys import base64_text
from projections.progress import Progress, silent

FORMAT = 1
BYTES_MAX = 256 * 1024 * 1024
READ_BYTES = 16 * 1024
"""More than the header of a file for nine post-quantum recipients."""


@dataclass(frozen=True, slots=True)
class KeyCheck:
    """A manifest, and the header of each object that it names, by SHA-256: all that shows who opens the backup."""

    stored: Stored
    headers: Mapping[str, bytes]

    def to_bytes(self) -> bytes:
        """Return the file that `parse` reads."""
        headers = {sha256: base64_text.encode(header) for sha256, header in self.headers.items()}
        return encode({"format": FORMAT, "headers": headers, "manifest": base64_text.encode(self.stored.data)}) + b"\n"

    def opened(self, identities: Sequence[AgeIdentity]) -> Mapping[str, int]:
        """Return how many objects each identity opens, by fingerprint.

        WrongKey if one is opened by none of them, Corrupt if a header is damaged.
        """
        counts = {fingerprint(identity.recipient): 0 for identity in identities}
        of = self.stored.manifest
        closed = []
        for entry in of.objects():
            try:
                by = [fingerprint(one.recipient) for one in identities if opens(self.headers[entry.sha256], one)]
            except Corrupt as error:
                raise Corrupt(f"{entry.name(of.deployment)}: {error}") from error
            for each in by:
                counts[each] += 1
            if not by:
                closed.append(entry.name(of.deployment))
        if closed:
            recipients = ", ".join(entry.fingerprint for entry in of.recipients)
            raise WrongKey(
                f"{', '.join(sorted(counts))} does not open {len(closed)} of the {len(of.objects())} objects of "
                f"{of.name}, the first is {closed[0]}; its recipients are {recipients}: find the identity of one of "
                "them, or run `resurgam backup rekey` on the deployment if it is one"
            )
        return counts


def gather(repository: Repository, stored: Stored, progress: Progress = silent) -> KeyCheck:
    """Read the headers of a backup's objects, and no more of them; Corrupt if one is missing or damaged."""
    of, headers = stored.manifest, {}
    for done, entry in enumerate(of.objects(), 1):
        name = entry.name(of.deployment)
        try:
            headers[entry.sha256] = read_header(_Beginning(repository.store, name))
        except NotFound:
            raise Corrupt(f"{name} is missing, but a manifest names it") from None
        except Corrupt as error:
            raise Corrupt(f"{name}: {error}") from error
        progress("reading headers", done, len(of.objects()))
    return KeyCheck(stored, headers)


def parse(data: bytes, name: str) -> KeyCheck:
    """Return the key check of a file; Corrupt, naming it, unless it is whole and its manifest is signed."""
    value = decode_canonical(data.removesuffix(b"\n"), name)
    try:
        if not data.endswith(b"\n") or value["format"] != FORMAT or set(value) != {"format", "headers", "manifest"}:
            raise ValueError(name)
        content = base64_text.decode(value["manifest"])
        headers = {sha256: base64_text.decode(header) for sha256, header in value["headers"].items()}
    except (AttributeError, KeyError, TypeError, ValueError):
        raise Corrupt(f"{name} is no key check of format {FORMAT}: save it again") from None
    stored = Stored(manifest.decode(content, f"the manifest in {name}"), content)
    stored.manifest.check()
    if headers.keys() != {entry.sha256 for entry in stored.manifest.objects()}:
        raise Corrupt(f"{name} does not hold the header of each object of {stored.manifest.name}: save it again")
    return KeyCheck(stored, headers)


class _Beginning:
    """An object, read from its beginning in short pieces."""

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._name = name
        self._at = 0
        self._ahead = b""

    def read(self, size: int, /) -> bytes:
        """See age.Readable."""
        if not self._ahead:
            self._ahead = self._store.get(self._name, start=self._at, length=READ_BYTES)
            self._at += len(self._ahead)
        block, self._ahead = self._ahead[:size], self._ahead[size:]
        return block
