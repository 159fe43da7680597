"""`resurgam backup watch`: backs up all the time, in the foreground."""

import signal
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Annotated

import typer

from domain.errors import ResurgamError, Usage, WrongKey
from infra.backup import ending, memory, run
from infra.backup.freshness import age_s, freshness
from infra.backup.repository import Repository
from infra.backup.stores.stoppable import stoppable
from infra.backup.watching import Pace, Shipped, VerifiedRun, Watch
from infra.cli import duration, errors, output, repository, settings, storage
from infra.cli.options import Json, RootKeyFile, Store, example, group
from infra.cli.repository import Location, NewRepository
from infra.cli.settings import Settings
from infra.cli.stop_request import StopRequest
from infra.cli.verifying_process import VerifyingProcess
from infra.control_plane.clock import host_clock
from infra.database.session import Database
from infra.keys.root_key import RootKey
from infra.log import head
from infra.state.snapshot import Snapshot
from projections.expiry import Expiry

EVERY_MAX_S = 3_600
VERIFIED_EVERY_S = (4 * 3_600, 12 * 3_600)

app = group("Watch and back up.")


@app.command(epilog=example("resurgam backup watch --repository file:///srv/backups --verified-every 12h"))
def watch(
    every: Annotated[str, typer.Option(metavar="TIME", help="How often to look for new records, 1s to 1h.")] = "5s",
    verified_every: Annotated[
        str, typer.Option(metavar="TIME", help="How often to make a verified backup, 4h to 12h.")
    ] = "12h",
    as_json: Json = False,
    location: Location = None,
    store: Store = None,
    root_key_file: RootKeyFile = None,
    is_new: NewRepository = False,
) -> None:
    """Ship new records as they come, and make verified backups at the set times.

    It stays in the foreground and writes a line for each backup. What fails is tried again, less and less often, until
    it succeeds: one line when it begins to fail, one when it is well again. What runs out within 90 days is told once a
    day, and when anything about it changes. SIGTERM ends it after the object that is being written.
    """
    pace = _pace(every, verified_every)
    chosen = settings.load(store=store, root_key_file=root_key_file, repository=location)
    with _until_terminated() as stopping, storage.unlocked(chosen) as (database, root_key):
        source = _Source(chosen, database, root_key, stopping, is_new=is_new)
        Watch(source, VerifyingProcess(chosen), _Lines(as_json=as_json), pace, stopping).run()


def _pace(every: str, verified_every: str) -> Pace:
    every_s = duration.parse(every, "--every")
    if not 1 <= every_s <= EVERY_MAX_S:
        raise Usage(f"--every {every}: from 1s to 1h")
    verified_every_s = duration.parse(verified_every, "--verified-every")
    least, most = VERIFIED_EVERY_S
    if not least <= verified_every_s <= most:
        raise Usage(f"--verified-every {verified_every}: from 4h to 12h")
    return Pace(every_s, verified_every_s)


@contextmanager
def _until_terminated() -> Iterator[StopRequest]:
    """Yield what SIGTERM requests, instead of ending at once."""
    with closing(StopRequest()) as stopping:
        before = signal.signal(signal.SIGTERM, lambda *_: stopping.set())
        try:
            yield stopping
        finally:
            signal.signal(signal.SIGTERM, before)


class _Source:
    """See infra.backup.watching.Source. After a failure the repository is opened anew: a mount may have come back."""

    def __init__(
        self, chosen: Settings, database: Database, root_key: RootKey, stopping: StopRequest, *, is_new: bool
    ) -> None:
        self._chosen = chosen
        self._database = database
        self._root_key = root_key
        self._stopping = stopping
        self._is_new = is_new
        self._opened: Repository | None = None

    def position(self) -> int:
        with self._database.read() as session:
            return head.read_open(session).position

    def ship(self, *, spares_keyring: bool) -> Shipped:
        try:
            outcome = self._run(spares_keyring=spares_keyring)
        except ResurgamError:
            self._opened = None
            raise
        self._is_new = False
        of = outcome.manifest
        return Shipped(
            of.sequence,
            of.last,
            outcome.records,
            outcome.size_bytes,
            outcome.is_new,
            outcome.is_new_base,
            outcome.holds_destroyed_keys,
        )

    def _run(self, *, spares_keyring: bool) -> run.Outcome:
        for _ in range(2):
            try:
                return run.run(
                    self._database, self._root_key, self._repository(), host_clock, spares_keyring=spares_keyring
                )
            except WrongKey:
                changed = storage.unlock(self._chosen, self._database)
                if changed.id == self._root_key.id:
                    raise
                self._root_key = changed
        raise WrongKey("the root key was changed twice while a backup was made: it is tried again")

    def verified_age_s(self) -> int | None:
        with self._database.read() as session:
            deployment = head.read_open(session).deployment
        now = host_clock()
        newest = freshness(self._repository(), deployment, now).newest
        return None if newest is None else age_s(newest.since, now)

    def expiring(self) -> Sequence[Expiry]:
        now = host_clock()
        with self._database.read() as session:
            at = head.read_open(session)
            own = ending.of_deployment(Snapshot(session, at.position), now)
        return [*own, *ending.of_place(repository.location(self._chosen), now)]

    def _repository(self) -> Repository:
        if self._opened is None:
            with self._database.read() as session:
                has_backups = memory.has_backups(session)
            found = repository.opened_for_backup(self._chosen, has_backups=has_backups, is_new=self._is_new)
            store = stoppable(found.store, self._stopping.is_set)
            self._opened = Repository(store, found.id, found.sha256)
        return self._opened


class _Lines:
    """See infra.backup.watching.Listener: one line for each event, also in a pipe, as soon as it happens."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json

    def shipped(self, backup: Shipped) -> None:
        fields: dict[str, object] = {"sequence": backup.sequence, "position": backup.position}
        fields |= {"newRecords": backup.records, "writtenBytes": backup.size_bytes}
        wrote = f"{backup.records} new records, {backup.size_bytes} bytes" if backup.is_new else "which has it all"
        text = f"shipped up to position {backup.position}: manifest {backup.sequence}, {wrote}"
        self._write("shipped", fields, text)

    def verified(self, run: VerifiedRun) -> None:
        fields = {"sequence": run.sequence, "position": run.position, "attestation": run.attestation}
        self._write("verified", fields, f"verified up to position {run.position}: manifest {run.sequence}, replayed")

    def warn(self, found: Sequence[Expiry]) -> None:
        counts, first = ending.counted(found), min(found, key=lambda one: one.expires)
        what = " ".join(part for part in (first.kind, first.resource, first.what) if part)
        text = (
            f"{counts['expired']} expired, {counts['30d']} within 30 days, {counts['90d']} within 90 days; "
            f"the first is {what}, at {first.expires}; `resurgam backup status` lists all"
        )
        self._write("expiring", {**counts, "expiring": output.plain(found)}, text)

    def failing(self, what: str, error: ResurgamError, retry_s: float) -> None:
        said = {"what": what, "error": errors.as_json(error), "retrySeconds": round(retry_s, 1)}
        self._write("failing", said, f"{what} is failing, and will be tried again until it succeeds: {error}")

    def back(self, what: str, failed_s: float) -> None:
        said = {"what": what, "failedSeconds": round(failed_s, 1)}
        self._write("back", said, f"{what} is back after {duration.shown(failed_s)}")

    def _write(self, event: str, fields: dict[str, object], text: str) -> None:
        at = host_clock()
        if self._as_json:
            output.write_json_lines([{"event": event, "at": at, **fields}])
        elif event in ("expiring", "failing", "back"):
            output.note(f"{at}  {text}")
        else:
            output.write_text(f"{at}  {text}")
