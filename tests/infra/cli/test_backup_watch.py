"""`backup watch` as a process of its own: it ships, verifies, goes on through failures, and ends when it is told to."""

import shutil
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from domain.errors import ResurgamError, Unavailable
from domain.instant import plus_days
from infra.backup import run
from infra.backup.repository import Repository
from infra.backup.stores.directory import DirectoryStore
from infra.backup.stores.stoppable import Stopped, stoppable
from infra.cli import settings, verifying_process
from infra.cli.verifying_process import VerifyingProcess
from infra.control_plane.clock import host_clock
from infra.control_plane.plane import ControlPlane
from infra.database.url import open_database
from infra.keys.password import TEST_COST
from infra.keys.root_key import FileRootKey
from infra.log import event_table
from infra.log.record import decode_record
from tests.backup_estate import Estate, estate, lived_in
from tests.infra.cli.command_line import ROOT, CommandLine, process, request, user
from tests.infra.cli.watching import PATIENCE_S, Watching, close
from tests.infra.control_plane.installation import ACTOR, user_request
from tests.infra.control_plane.installation import request as plane_request


def with_recipient(cli: CommandLine) -> None:
    recipient = cli.done("key", "generate", "--classical", "--output", "identity.txt").out.strip()
    cli.record(request("AddBackupRecipient", name="safe", recipient=recipient))


@pytest.fixture
def backed_up(installed: CommandLine) -> CommandLine:
    """A deployment whose backups go to the folder `backups`."""
    with_recipient(installed)
    installed.done("backup", "run", "--repository", "backups")
    return installed


@pytest.fixture
def verified(backed_up: CommandLine) -> CommandLine:
    """The same when nothing is to be verified for the next hours."""
    backed_up.done("backup", "run", "--verified", "--repository", "backups")
    return backed_up


def head_of(cli: CommandLine) -> int:
    return int(cli.done("get", "group", "--json").json["position"])


def restorable(cli: CommandLine) -> dict[str, Any]:
    found: dict[str, Any] = cli.done(
        "backup", "verify", "--repository", "backups", "--identity", "identity.txt", "--json"
    ).json
    return dict(found["deployments"][0])


def test_what_is_recorded_is_shipped_by_itself_and_sigterm_ends_it_with_0(
    verified: CommandLine, watch: Callable[..., Watching]
) -> None:
    running = watch()
    first = running.until_shipped()
    assert first["newRecords"] == 0, "it begins by looking where it stands"
    for number in range(3):
        verified.record(user(number))
        shipped = running.until_shipped(head_of(verified))
        assert restorable(verified)["restorable"]["last"] == shipped["position"]
    assert running.end() == 0
    assert set(running.told()) == {"shipped"}
    assert running.process.stderr is not None
    assert running.process.stderr.read() == b""
    assert not verified.done("backup", "run", "--repository", "backups", "--json").json["newRecords"]


def test_what_runs_out_is_told_as_soon_as_it_is_shipped(verified: CommandLine, watch: Callable[..., Watching]) -> None:
    application = "55555555-5555-4555-8555-000000000001"
    secret = {"appId": application, "secretText": "a long client secret", "endDateTime": plus_days(host_clock(), 20)}
    verified.record(
        request("CreateApplication", appId=application, displayName="Agent"), request("AddPasswordCredential", **secret)
    )
    told = watch().until_told("expiring")
    assert (told["expired"], told["30d"], told["90d"]) == (0, 1, 0)
    assert [one["kind"] for one in told["expiring"]] == ["password-credential"]


def test_it_ships_and_verifies_on_each_engine(installed_anywhere: CommandLine, watch: Callable[..., Watching]) -> None:
    with_recipient(installed_anywhere)
    running = watch()
    assert running.until_shipped()["newRecords"] == head_of(installed_anywhere)
    told = running.until_told("verified")
    installed_anywhere.record(user(1))
    running.until_shipped(told["position"] + 1)
    assert running.end() == 0
    status = installed_anywhere.done("backup", "status", "--repository", "backups", "--max-age", "1h", "--json").json
    assert (status["verified"]["position"], status["backlog"]["records"]) == (told["position"], 0)


def test_the_first_verified_backup_is_made_at_once_and_counts_for_status(
    backed_up: CommandLine, watch: Callable[..., Watching]
) -> None:
    running = watch("--verified-every", "4h")
    told = running.until_told("verified")
    assert (Path("backups") / told["attestation"]).is_file()
    assert running.end() == 0
    status = backed_up.done("backup", "status", "--repository", "backups", "--max-age", "13h", "--json").json
    assert (status["verified"]["sequence"], status["verified"]["position"]) == (told["sequence"], told["position"])
    again = watch("--verified-every", "4h")
    again.until_shipped()
    backed_up.record(user(1))
    again.until_shipped(head_of(backed_up))
    assert again.end() == 0
    assert "verified" not in again.told(), "a restart does not verify again"


def test_a_repository_that_vanishes_is_told_once_and_the_backlog_is_shipped_when_it_is_back(
    verified: CommandLine, watch: Callable[..., Watching]
) -> None:
    running = watch()
    running.until_shipped()
    shutil.move("backups", "away")
    verified.record(user(1))
    failing = running.until_told("failing")
    assert (failing["what"], failing["error"]["class"]) == ("shipping", "Unavailable")
    verified.record(user(2), user(3))
    sleep(1.5)  # it tries more than once meanwhile
    shutil.move("away", "backups")
    shipped = running.until_shipped(head_of(verified))
    assert shipped["newRecords"] == 3
    assert running.until_told("back")["what"] == "shipping"
    assert running.end() == 0
    assert [name for name in running.told() if name != "shipped"] == ["failing", "back"]


def test_an_empty_folder_in_the_place_of_the_repository_is_not_taken_for_a_new_one(
    verified: CommandLine, watch: Callable[..., Watching]
) -> None:
    running = watch()
    running.until_shipped()
    shutil.move("backups", "away")
    Path("backups").mkdir()
    verified.record(user(1))
    failing = running.until_told("failing")
    assert (failing["error"]["class"], failing["error"]["rule"]) == ("Refused", "repository-goes-forward"), failing
    assert list(Path("backups").iterdir()) == []
    shutil.rmtree("backups")
    shutil.move("away", "backups")
    running.until_shipped(head_of(verified))
    assert running.end() == 0


def test_in_text_shipping_goes_to_standard_output_and_failing_to_standard_error(verified: CommandLine) -> None:
    running = process("backup", "watch", "--repository", "backups", "--every", "1s", folder=verified.folder)
    assert running.stdout is not None
    assert running.stderr is not None
    assert b"shipped up to position" in running.stdout.readline()
    shutil.move("backups", "away")
    verified.record(user(1))
    assert b"shipping is failing, and will be tried again until it succeeds: cannot open" in running.stderr.readline()
    shutil.move("away", "backups")
    assert b"1 new records" in running.stdout.readline()
    assert b"shipping is back after" in running.stderr.readline()
    running.send_signal(signal.SIGINT)
    assert running.wait(PATIENCE_S) == 130
    close(running)


def test_what_is_wrong_at_the_start_ends_it_with_its_code(installed: CommandLine) -> None:
    refused = installed("backup", "watch", "--repository", "backups")
    assert (refused.code, "no backup recipient" in refused.err) == (3, True)
    assert installed("backup", "watch").code == 2, "no repository is named"
    FileRootKey.create(Path("other.root-key"))
    assert installed("backup", "watch", "--repository", "backups", "--root-key-file", "other.root-key").code == 7


@pytest.mark.parametrize(
    "flags",
    [
        ("--every", "0s"),
        ("--every", "2h"),
        ("--every", "5"),
        ("--verified-every", "3h"),
        ("--verified-every", "13h"),
        ("--verified-every", "often"),
    ],
    ids=str,
)
def test_a_pace_out_of_bounds_is_a_usage_error(installed: CommandLine, flags: tuple[str, ...]) -> None:
    assert installed("backup", "watch", "--repository", "backups", *flags).code == 2


def test_two_watches_and_a_run_beside_each_other_ship_everything(
    verified: CommandLine, watch: Callable[..., Watching]
) -> None:
    first, second = watch(), watch()
    first.until_shipped()
    second.until_shipped()
    for number in range(4):
        verified.record(user(number))
        verified.done("backup", "run", "--repository", "backups")
    verified.record(user(9))
    sleep(2.5)
    assert (first.end(), second.end()) == (0, 0)
    found = restorable(verified)
    assert (found["restorable"]["last"], found["unnamedObjects"]) == (head_of(verified), found["unnamedObjects"])
    assert {*first.told(), *second.told()} == {"shipped"}


def test_after_kill_9_nothing_that_was_reported_as_shipped_is_missing(
    backed_up: CommandLine, watch: Callable[..., Watching], capfd: pytest.CaptureFixture[str]
) -> None:
    database = open_database("sqlite:///resurgam.db")
    plane = ControlPlane(database, FileRootKey.load(Path("resurgam.root-key")), cost=TEST_COST)
    written: dict[int, float] = {}
    ending = threading.Event()

    def write() -> None:
        number = 0
        while not ending.wait(0.02):
            number += 1
            outcome = plane.execute(plane_request("CreateGroup", displayName=f"Group {number}"), ACTOR)
            written[outcome.last] = monotonic()

    running = watch()
    running.until_told("verified")
    writer = threading.Thread(target=write)
    writer.start()
    try:
        shipped = [running.until_shipped(min(written, default=1)) for _ in range(4)]
    finally:
        running.process.kill()
        killed = monotonic()
        ending.set()
        writer.join()
    running.process.wait(PATIENCE_S)
    with database.read() as session:
        log = list(event_table.records(session))
    database.close()
    for path in Path.cwd().glob("resurgam.db*"):
        path.unlink()  # the machine is gone, and its store with it

    fresh = ("--store", "sqlite:///new.db", "--root-key-file", "new.root-key")
    recover = ("recover", "backups", "--identity", "identity.txt", "--trust-first-use", "--json")
    position = backed_up.done(*recover, *fresh).json["recoveredPosition"]
    recovered = open_database("sqlite:///new.db")
    with recovered.read() as session:
        assert list(event_table.records(session, until=position)) == log[:position]
    recovered.close()
    assert shipped[-1]["position"] <= position <= len(log)
    # The last backup was begun after the one before was told of: however slow the machine is, it holds all that was
    # recorded until then, but for what was not committed yet.
    told_of = [decode_record(record).recorded_at < shipped[-2]["at"] for record in log]
    assert position >= sum(told_of) - 1
    lost = [when for at, when in written.items() if at > position]
    lags = [event["heard"] - written[event["position"]] for event in shipped if event["position"] in written]
    with capfd.disabled():
        print(
            f"\n{len(written)} records at 50/s: {len(log) - position} lost, the oldest recorded "
            f"{max(0.0, killed - min(lost, default=killed)):.2f} s before the end; "
            f"lag of the newest record in a backup {max(lags, default=0):.2f} s at most"
        )


def test_told_to_stop_in_the_middle_of_a_backup_it_finishes_the_object_and_the_next_run_goes_on(tmp_path: Path) -> None:
    with estate(tmp_path) as made:
        lived_in(made)
        made.record(user_request(9))
        for after in (0, 1, 2):
            made.record(user_request(10 + after), plane_request("CreateGroup", displayName=f"Group {after}"))
            before, manifests = len(made.files()), len(made.objects("manifests"))
            outcome = backed_up_until(made, after)
            assert made.verify().records == made.newest.last, "whatever the moment was, the repository tells no lie"
            if outcome is None:
                assert len(made.files()) == before + after
                assert len(made.objects("manifests")) == manifests
            else:
                assert len(made.objects("manifests")) == manifests + 1
        made.back_up()
        assert made.newest.last == made.plane.head().position


def backed_up_until(made: Estate, objects: int) -> "run.Outcome | None":
    """Make a backup that is told to stop after so many objects; None if it did before its manifest."""
    put = 0

    def is_stopping() -> bool:
        nonlocal put
        put += 1
        return put > objects

    repository = made.repository
    stopping = Repository(stoppable(DirectoryStore(made.root), is_stopping), repository.id, repository.sha256)
    try:
        return run.run(made.database, made.root_key, stopping, host_clock)
    except Stopped:
        return None


class TestVerifyingProcess:
    """The process that makes verified backups for a watch."""

    def test_its_error_is_the_error_of_the_verified_backup(
        self, backed_up: CommandLine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PYTHONPATH", str(ROOT))
        verifying = VerifyingProcess(settings.load(repository="nowhere"))
        verifying.start()
        with pytest.raises(Unavailable, match=r"cannot open directory .*nowhere"):
            wait_for(verifying)

    def test_one_that_says_nothing_is_told_by_how_it_ended(
        self, backed_up: CommandLine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(verifying_process, "PROGRAM", "import os; os.kill(os.getpid(), 9)")
        verifying = VerifyingProcess(settings.load(repository="backups"))
        verifying.start()
        with pytest.raises(ResurgamError, match="ended with signal 9"):
            wait_for(verifying)

    def test_ended_in_the_middle_it_leaves_no_scratch_store(
        self, backed_up: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scratch = tmp_path / "tmp"
        scratch.mkdir()
        monkeypatch.setenv("TMPDIR", str(scratch))
        monkeypatch.setenv("PYTHONPATH", str(ROOT))
        # The replay waits, so that it is under way for sure.
        slow = (
            "import time; from infra.control_plane import recovery; "
            "recovery.replay = lambda *_: (print('', flush=True), time.sleep(60)); "
        )
        prefix, mark, rest = verifying_process.PROGRAM.partition("from infra.cli import main")
        monkeypatch.setattr(verifying_process, "PROGRAM", prefix + slow + mark + rest)
        verifying = VerifyingProcess(settings.load(repository="backups"))
        verifying.start()
        deadline = monotonic() + PATIENCE_S
        while not list(scratch.glob("resurgam-drill-*/scratch.db")) and monotonic() < deadline:
            sleep(0.05)
        assert list(scratch.iterdir())
        assert verifying.result() is None
        verifying.stop()
        assert list(scratch.iterdir()) == []
        verifying.stop()


def wait_for(verifying: VerifyingProcess) -> None:
    deadline = monotonic() + PATIENCE_S
    while verifying.result() is None:
        assert monotonic() < deadline
        sleep(0.05)
