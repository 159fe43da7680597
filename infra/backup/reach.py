"""The reach of recipients: what of a repository each of them can open, also one that was retired long ago."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from domain.backup_recipient import BACKUP_RECIPIENT
from infra.backup import layout
from infra.backup.age import fingerprint, parse_recipient
from infra.backup.audience import recipients_of
from infra.backup.manifest import Entry, KeyringEntry, Manifest, RecipientEntry, SegmentEntry
from infra.backup.repository import Repository
from infra.database.session import Session
from infra.log import event_table
from infra.state.snapshot import Snapshot
from projections.version import OPEN

Extent = Literal["all", "part", "nothing"]


@dataclass(frozen=True, slots=True)
class Opened:
    """An object, and the newest manifest that names it."""

    entry: Entry
    manifest: Manifest


@dataclass(slots=True)
class Reach:
    """What one recipient opens, of what manifests name and is there.

    `is_present` says whether the newest backup is sealed to it, `newest` how much of that it opens.
    """

    fingerprint: str
    kind: str
    is_present: bool = False
    newest: Extent = "nothing"
    objects: dict[str, Opened] = field(default_factory=dict)

    @property
    def last(self) -> int:
        """The last position whose record it reads."""
        return max((o.entry.last for o in self.objects.values() if isinstance(o.entry, SegmentEntry)), default=0)

    @property
    def keys_until(self) -> int:
        """Up to which position it reads data keys, and with them secrets."""
        return max((o.entry.until for o in self.objects.values() if isinstance(o.entry, KeyringEntry)), default=0)

    @property
    def last_manifest(self) -> Manifest | None:
        """The newest manifest that names anything that it opens."""
        return max((o.manifest for o in self.objects.values()), key=lambda of: of.sequence, default=None)

    @property
    def size_bytes(self) -> int:
        """How much it opens."""
        return sum(opened.entry.size_bytes for opened in self.objects.values())


class Reaches:
    """What every recipient opens that manifests speak of, found as they pass, oldest first."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._by_fingerprint: dict[str, Reach] = {}
        self.not_known = 0
        """Of how many objects of the newest manifest it is not known to whom they are sealed."""

    def passing(self, manifests: Iterable[Manifest]) -> Iterator[Manifest]:
        """Pass manifests of one deployment on, the newest last."""
        newest: Manifest | None = None
        for newest in manifests:
            self._take(newest)
            yield newest
        if newest is not None:
            self._drop_missing(newest.deployment)

    def all(self) -> Sequence[Reach]:
        """Return the recipients, those of the newest backup first."""
        return sorted(self._by_fingerprint.values(), key=lambda one: (not one.is_present, one.fingerprint))

    def of(self, recipient: str) -> Reach | None:
        """Return what a recipient opens, by its fingerprint; None if nothing was ever sealed to it."""
        return self._by_fingerprint.get(recipient)

    def _take(self, of: Manifest) -> None:
        known = recipients_of(of)
        self.not_known = sum(not recipients for recipients in known.values())
        for one in self._by_fingerprint.values():
            one.is_present, one.newest = False, "nothing"
        for recipient in of.recipients:
            self._one(recipient).is_present = True
        opened = Counter[str]()
        for entry in of.objects():
            for recipient in known[entry.sha256]:
                self._one(recipient).objects[entry.sha256] = Opened(entry, of)
                opened[recipient.fingerprint] += 1
        for recipient_fingerprint, count in opened.items():
            self._by_fingerprint[recipient_fingerprint].newest = "all" if count == len(known) else "part"

    def _drop_missing(self, deployment: str) -> None:
        """Forget what was pruned of a manifest that stays."""
        listed = self._repository.store.list(f"{deployment}/")
        there = {layout.object_sha256(name) for name in listed}
        for one in self._by_fingerprint.values():
            one.objects = {sha256: opened for sha256, opened in one.objects.items() if sha256 in there}

    def _one(self, of: RecipientEntry) -> Reach:
        return self._by_fingerprint.setdefault(of.fingerprint, Reach(of.fingerprint, of.kind))


@dataclass(frozen=True, slots=True)
class Named:
    """A recipient as the log has it: `retired_at` and `retired_position` are empty and 0 while it is one."""

    fingerprint: str
    id: str
    label: str
    kind: str
    retired_at: str
    retired_position: int


def named(session: Session, position: int) -> Mapping[str, Named]:
    """Return every recipient that was ever recorded, by its fingerprint; of several records of one, the last."""
    found: dict[str, Named] = {}
    for _, until, state in Snapshot(session, position).ever_of_kind(BACKUP_RECIPIENT.name):
        retired = event_table.record_at(session, until) if until < OPEN and until <= position else None
        of = fingerprint(parse_recipient(str(state["recipient"])))
        found[of] = Named(
            of,
            str(state["id"]),
            str(state["label"]),
            str(state["recipientKind"]),
            retired.recorded_at if retired else "",
            until if retired else 0,
        )
    return found
