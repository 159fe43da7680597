"""`backup status`, `backup list` and verified backups at the command line: what is said, and with which exit code."""

import json
import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.instant import from_datetime, plus_days, to_datetime, to_seconds
from infra.backup import attestation, manifest, memory, status
from infra.backup.repository import Repository
from infra.backup.stores.directory import DirectoryStore
from infra.cli import backup_list, backup_status
from infra.control_plane.clock import host_clock
from infra.database.url import open_database
from infra.keys.root_key import FileRootKey
from infra.keys.signer import Signer
from infra.log import checkpoint
from tests import store_servers
from tests.backup_estate import GROUP, VAULT
from tests.infra.cli.command_line import CommandLine, Result, request, user
from tests.infra.control_plane.installation import PROVIDER
from tests.store_servers import Place

STATUS = ("backup", "status", "--repository", "backups")
DIGITS = re.compile(r"\d+")


@pytest.fixture
def backed_up(installed: CommandLine) -> CommandLine:
    """A deployment whose first backup lies in the folder `backups`."""
    recipient = installed.done("key", "generate", "--output", "identity.txt").out.strip()
    installed.record(request("AddBackupRecipient", name="safe", recipient=recipient))
    installed.done("backup", "run", "--repository", "backups")
    return installed


@pytest.fixture
def verified(backed_up: CommandLine) -> CommandLine:
    """The same after a verified backup, which is manifest 2."""
    backed_up.done("backup", "run", "--verified", "--repository", "backups")
    return backed_up


def at(monkeypatch: pytest.MonkeyPatch, now: str) -> None:
    """Set the host's clock as the two commands see it."""
    monkeypatch.setattr(backup_status, "host_clock", lambda: now)
    monkeypatch.setattr(backup_list, "host_clock", lambda: now)


def hours_from_now(hours: float) -> str:
    return from_datetime(to_datetime(host_clock()) + timedelta(hours=hours))


def metrics(result: Result) -> dict[str, float]:
    """The samples by their names, and by `within` where they have that label."""
    found = {}
    for line in result.out.splitlines():
        match = re.fullmatch(r'(\w+)(?:\{(?:deployment="[0-9a-f-]+")?(?:,within="(\w+)")?\})? (\S+)', line)
        if not line.startswith("# "):
            assert match, line
            found[match[1] + (match[2] or "")] = float(match[3])
    return found


def endorse(cli: CommandLine) -> None:
    verifier = cli.done("key", "inspect", "--json").json["verifier"]
    endorsed = cli.done("key", "endorse", verifier, "--identity", "identity.txt").out.strip()
    cli.done("key", "endorse", "--accept", endorsed)
    cli.done("backup", "run", "--repository", "backups")


def test_a_verified_backup_says_what_was_compared_and_what_attests_it(backed_up: CommandLine) -> None:
    made = backed_up.done("backup", "run", "--verified", "--repository", "backups", "--json").json
    compared = {"position", "merkle root", "state digest", "counts of kinds"}
    compared |= {f"{ask} answers" for ask in ("access", "login", "quota")}
    assert made["comparisons"] == dict.fromkeys(compared, "equal")
    assert (made["status"], made["sequence"], made["liveKeys"]) == ("written", 2, 1)
    assert (Path("backups") / made["attestation"]).is_file()


def test_the_first_line_of_the_list_is_the_age_of_the_newest_verified_backup(
    verified: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(monkeypatch, hours_from_now(3))
    first, second, columns, *rows = verified.done("backup", "list", "--repository", "backups").out.splitlines()
    age = r"newest verified backup (3 h|2 h 59 min) old \(manifest 2, position \d+, replayed by the deployment; that an"
    assert re.fullmatch(rf"deployment [0-9a-f-]+: {age} identity opens it only a drill shows\)", first)
    assert re.match(r"newest backup (3 h|2 h 59 min) old, up to position \d+, post-quantum", second)
    assert "verifiedBy" in columns
    assert ["deployment" in row for row in rows] == [False, True]


def test_a_long_list_shows_the_newest_and_the_newest_verified_ones_and_counts_the_rest(
    verified: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup_list, "SHOWN", 2)
    for number in range(4):
        verified.record(user(number))
        verified.done("backup", "run", "--repository", "backups")
    listed = ("backup", "list", "--repository", "backups")
    rows = verified.done(*listed).out.splitlines()[3:]
    assert [row.split()[0] for row in rows] == ["2", "5", "6", "3"]
    assert rows[-1] == "3 more backups: --all shows them"
    assert [row.split()[0] for row in verified.done(*listed, "--all").out.splitlines()[3:]] == list("123456")
    assert len(verified.done(*listed, "--json").json["deployments"][0]["backups"]) == 6


def test_without_a_verified_backup_the_list_says_so_and_how_to_make_one(backed_up: CommandLine) -> None:
    first = backed_up.done("backup", "list", "--repository", "backups").out.splitlines()[0]
    assert first.endswith(
        "no verified backup: make one with `resurgam backup run --verified`, or drill with --identity"
    )


@pytest.mark.parametrize(("hours", "code"), [(0, 0), (12.9, 0), (13.1, 3), (1_000, 3)])
def test_status_ends_with_3_when_the_newest_verified_backup_is_older_than_asked(
    verified: CommandLine, monkeypatch: pytest.MonkeyPatch, hours: float, code: int
) -> None:
    at(monkeypatch, hours_from_now(hours))
    result = verified(*STATUS, "--max-age", "13h")
    assert result.code == code
    assert result.out.startswith("newest verified backup ")
    assert ("no backup was verified in the last 13 h: it is" in result.err) == bool(code)
    assert verified(*STATUS).code == 0, "without --max-age nothing is asked"


def test_status_ends_with_3_when_nothing_was_verified(backed_up: CommandLine) -> None:
    result = backed_up(*STATUS, "--max-age", "13h", "--json")
    assert (result.code, result.error["rule"]) == (3, "backup-is-fresh")
    assert (result.json["verified"], result.json["fresh"]) == (None, False)
    assert backed_up(*STATUS).code == 0


def test_a_backup_that_was_verified_in_the_future_has_no_age_and_is_not_fresh(
    verified: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(monkeypatch, hours_from_now(-48))
    result = verified(*STATUS, "--max-age", "13h")
    assert result.code == 3
    assert "which lies in the future: a clock is wrong" in result.out.splitlines()[0]
    assert "in the future: a clock is wrong" in result.out.splitlines()[3]
    assert "-" not in "".join(re.findall(r"(\S+) old", result.out))
    listed = verified.done("backup", "list", "--repository", "backups").out
    assert listed.count("lies in the future") == 2
    found = metrics(verified(*STATUS, "--prometheus"))
    assert "resurgam_backup_verified_age_seconds" not in found
    assert "resurgam_backup_verified_timestamp_seconds" in found


def test_the_backlog_is_what_was_recorded_since_the_newest_backup(
    verified: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert verified.done(*STATUS, "--json").json["backlog"] == {"records": 0, "oldestSeconds": 0}
    verified.record(user(1), user(2))
    at(monkeypatch, hours_from_now(1))
    found = verified.done(*STATUS, "--json").json
    assert found["backlog"]["records"] == 2
    assert 3_590 <= found["backlog"]["oldestSeconds"] <= 3_600
    assert "backlog     2 records, the oldest " in verified.done(*STATUS).out
    verified.done("backup", "run", "--repository", "backups")
    assert verified.done(*STATUS, "--json").json["backlog"]["records"] == 0


def test_a_newer_backup_makes_the_verified_one_no_younger(verified: CommandLine) -> None:
    verified.record(user(1))
    verified.done("backup", "run", "--repository", "backups")
    found = verified.done(*STATUS, "--json").json
    assert (found["verified"]["sequence"], found["newest"]["sequence"]) == (2, 3)
    assert found["verified"]["since"] < found["newest"]["createdAt"]


def test_what_runs_out_is_counted_and_the_secrets_of_tenants_are_not(
    verified: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = hours_from_now(0)
    application = "55555555-5555-4555-8555-000000000001"
    added = [
        request(
            "AddPasswordCredential",
            appId=application,
            secretText=f"a long client secret {number}",
            displayName=f"password {number}",
            startDateTime=plus_days(later, -1),
            endDateTime=plus_days(later, days),
        )
        for number, days in enumerate((1, 10, 60, 200))
    ]
    tenants = [
        request("CreateResourceGroup", subscriptionId=PROVIDER, name="main", location="east"),
        request("CreateVault", resourceGroupId=GROUP, name="keys", location="east"),
        request("SetSecret", vaultId=VAULT, name="Theirs", value="a value", exp=to_seconds(later) + 86_400),
    ]
    created = verified.record(request("CreateApplication", appId=application, displayName="Agent"), *added, *tenants)
    assert created.code == 0
    at(monkeypatch, plus_days(later, 2))
    found = metrics(verified(*STATUS, "--prometheus"))
    counts = [found[f"resurgam_backup_expiring{within}"] for within in ("expired", "30d", "90d")]
    assert counts == [1, 1, 1]
    told = verified(*STATUS)
    assert "expiring    1 expired, 1 within 30 days, 1 within 90 days" in told.out
    assert "password 1" in told.out
    assert "Theirs" not in told.out
    assert "theirs" in verified.done("expiring").out.lower()


def test_credentials_of_the_place_that_run_out_are_shown_ahead_and_change_no_exit_code(
    backed_up: CommandLine, azure_server: Place, store_environment: Callable[[Place], str]
) -> None:
    end = (datetime.now(UTC) + timedelta(days=60)).replace(microsecond=0)
    url = store_environment(store_servers.azure_signed(azure_server.fresh(), "rclw", end))
    backed_up.done("backup", "run", "--verified", "--repository", url, "--new-repository")
    status = ("backup", "status", "--repository", url, "--max-age", "13h")
    [one] = backed_up.done(*status, "--json").json["repositoryExpiring"]
    assert (one["what"], one["expires"], one["severity"]) == ("shared access signature", from_datetime(end), "warning")
    told = backed_up.done(*status).out
    assert "expiring    0 expired, 0 within 30 days, 1 within 90 days" in told
    assert f"{from_datetime(end)}  warning   repository  {url}" in told
    found = metrics(backed_up.done(*status, "--prometheus"))
    counts = [found[f"resurgam_backup_repository_expiring{within}"] for within in ("expired", "30d", "90d")]
    assert counts == [0, 0, 1]
    assert found["resurgam_backup_expiring90d"] == 0


def test_without_the_store_status_tells_what_the_repository_knows(verified: CommandLine) -> None:
    Path("resurgam.db").rename("away.db")
    result = verified(*STATUS, "--max-age", "13h")
    assert result.code == 0
    assert result.out.startswith("newest verified backup ")
    assert "store       missing: " in result.out
    assert "backlog" not in result.out
    found = metrics(verified(*STATUS, "--prometheus"))
    assert (found["resurgam_backup_store_up"], found["resurgam_backup_repository_up"]) == (0, 1)
    assert "resurgam_backup_backlog_records" not in found
    assert verified(*STATUS, "--json").json["missing"].keys() == {"store"}


def test_without_the_repository_status_tells_what_the_store_knows_and_ends_with_8(verified: CommandLine) -> None:
    verified.record(user(1))
    shutil.move("backups", "away")
    result = verified(*STATUS, "--max-age", "13h")
    assert result.code == 8
    assert "repository  missing: cannot open" in result.out
    assert "backlog     1 records, the oldest" in result.out
    assert "after the last backup that the store remembers" in result.out
    prometheus = verified(*STATUS, "--prometheus")
    found = metrics(prometheus)
    assert prometheus.code == 8
    assert (found["resurgam_backup_store_up"], found["resurgam_backup_repository_up"]) == (1, 0)
    assert found["resurgam_backup_backlog_records"] == 1


def test_with_neither_it_says_so_and_ends_with_8(cli: CommandLine) -> None:
    result = cli("backup", "status", "--repository", "nowhere", "--json")
    assert result.code == 8
    assert result.json["missing"].keys() == {"repository", "store"}
    assert cli("backup", "status").code == 2


def test_a_damaged_newest_manifest_is_corrupt_and_not_passed_over(verified: CommandLine) -> None:
    newest = sorted(Path("backups").glob("*/manifests/*"))[-1]
    newest.write_bytes(newest.read_bytes()[:-3])
    result = verified(*STATUS, "--max-age", "13h")
    assert result.code == 6
    assert "repository  missing: " in result.out
    assert metrics(verified(*STATUS, "--prometheus"))["resurgam_backup_repository_up"] == 0


def test_a_repository_that_went_backwards_is_refused(verified: CommandLine) -> None:
    for path in (*Path("backups").glob("*/manifests/*2.json"), *Path("backups").glob("*/attestations/*")):
        path.unlink()
    result = verified(*STATUS, "--json")
    assert (result.code, result.error["rule"]) == (3, "repository-goes-forward")


def test_a_backup_that_is_made_meanwhile_is_not_taken_for_a_rollback(
    verified: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = status.in_repository

    def and_then_another(*arguments: Any) -> status.InRepository:
        found = real(*arguments)
        verified.record(user(1))
        verified.done("backup", "run", "--repository", "backups")
        return found

    monkeypatch.setattr(status, "in_repository", and_then_another)
    assert verified(*STATUS, "--max-age", "13h").code == 0


def test_a_store_that_was_set_back_is_corrupt(verified: CommandLine) -> None:
    shutil.copy("resurgam.db", "older.db")
    verified.record(user(1))
    verified.done("backup", "run", "--repository", "backups")
    result = verified(*STATUS, "--store", "sqlite:///older.db")
    assert result.code == 6
    assert "the store was set back" in result.err


def test_the_chain_of_another_signer_is_corrupt(verified: CommandLine) -> None:
    """Somebody with the right to write puts a manifest and an attestation of their own at the end."""
    repository = Repository.open(DirectoryStore(Path("backups")))
    [deployment] = repository.deployments()
    database = open_database("sqlite:///resurgam.db")
    with database.read() as session:
        real = memory.get_signer(session, FileRootKey.load(Path("resurgam.root-key")))
    database.close()
    stranger = Signer.generate(real.verifier.name)
    newest = repository.newest(deployment)
    assert newest is not None
    body = newest.manifest.opened_checkpoint()
    theirs = newest.manifest.model_copy(
        update={
            "sequence": 3,
            "previous": newest.sha256,
            "verifier": str(stranger.verifier),
            "checkpoint": checkpoint.sign(body, stranger),
        }
    )
    repository.store.put_new(theirs.name, manifest.sign(theirs, stranger))
    forged = repository.read(theirs.name)
    attestation.put(repository, forged, attestation.of_manifest(forged, 1, host_clock(), stranger))
    result = verified(*STATUS, "--max-age", "13h")
    assert result.code == 6
    assert "signed by another signer" in result.err
    Path("resurgam.db").rename("away.db")
    assert verified(*STATUS, "--max-age", "13h").code == 6, "also for whoever has the repository alone"


def test_a_drill_counts_only_for_whoever_has_the_identity(backed_up: CommandLine) -> None:
    endorse(backed_up)
    drilled = backed_up.done("backup", "drill", "--repository", "backups", "--identity", "identity.txt", "--json").json
    assert drilled["notAttested"] == ""
    assert (Path("backups") / drilled["attestation"]).is_file()
    without = backed_up(*STATUS, "--max-age", "13h")
    assert without.code == 3
    assert without.out.startswith(
        "no verified backup that can be checked here: what was drilled counts with --identity"
    )
    assert f"unchecked: {drilled['attestation']}: only with the identity" in without.out
    with_identity = backed_up.done(*STATUS, "--max-age", "13h", "--identity", "identity.txt")
    assert "drilled with the identity" in with_identity.out.splitlines()[0]
    listed = backed_up.done("backup", "list", "--repository", "backups", "--identity", "identity.txt", "--json").json
    assert [len(row["verifiedBy"]) for row in listed["deployments"][0]["backups"]] == [0, 1]
    verify = ("backup", "verify", "--repository", "backups", "--json")
    counted = [backed_up.done(*verify, *more).json["deployments"][0] for more in ((), ("--identity", "identity.txt"))]
    assert [(one["attestations"], one["uncheckedAttestations"]) for one in counted] == [(1, 1), (1, 0)]


def test_a_drill_can_leave_the_repository_as_it_is(backed_up: CommandLine) -> None:
    drill = ("backup", "drill", "--repository", "backups", "--identity", "identity.txt", "--json")
    silent = backed_up.done(*drill, "--trust-first-use", "--no-attest")
    assert "attestation" not in silent.json
    unproven = backed_up.done(*drill, "--trust-first-use")
    assert unproven.json["attestation"] is None
    assert "not attested: nothing proves the signer" in unproven.err
    assert list(Path("backups").glob("*/attestations/*")) == []


def test_an_invalid_attestation_is_named_by_all_and_refused_by_verify(verified: CommandLine) -> None:
    [path] = Path("backups").glob("*/attestations/*")
    path.write_bytes(path.read_bytes().replace(b'"keys":1', b'"keys":2'))
    for command in (STATUS, ("backup", "list", "--repository", "backups")):
        result = verified.done(*command)
        assert f"invalid: {path.relative_to('backups')}: it is not what its name says" in result.out
        assert "no verified backup" in result.out
    assert metrics(verified(*STATUS, "--prometheus"))["resurgam_backup_invalid_attestations"] == 1
    refused = verified("backup", "verify", "--repository", "backups")
    assert (refused.code, str(path.relative_to("backups")) in refused.err) == (6, True)
    assert verified.done("backup", "run", "--repository", "backups"), "a backup does not depend on it"


def test_several_deployments_are_told_apart(verified: CommandLine, tmp_path: Path) -> None:
    new = ("--store", "sqlite:///new.db", "--root-key-file", "new.root-key")
    verified.done("recover", "backups", "--identity", "identity.txt", "--trust-first-use", *new)
    verified.done("backup", "run", "--repository", "backups", *new)
    own: Any = verified.done(*STATUS, "--json").json
    theirs: Any = verified.done(*STATUS, "--json", "--store", "sqlite:///new.db").json
    assert own["verified"]["sequence"] == 2
    assert theirs["verified"] is None
    neither = verified(*STATUS, "--store", "sqlite:///missing.db")
    assert neither.code == 3
    assert f"--deployment {own['deployment']}" in neither.err
    named = verified.done(*STATUS, "--store", "sqlite:///missing.db", "--deployment", own["deployment"])
    assert named.out.startswith("newest verified backup")
    other = verified.done(*STATUS, "--store", "sqlite:///new.db", "--deployment", own["deployment"])
    assert f"missing: the store is that of deployment {theirs['deployment']}" in other.out


@pytest.mark.parametrize(
    "flags", [("--max-age", "soon"), ("--max-age", "13"), ("--prometheus", "--json"), ("--max-age", "-1h")], ids=str
)
def test_what_cannot_be_asked_is_a_usage_error(verified: CommandLine, flags: tuple[str, ...]) -> None:
    assert verified(*STATUS, *flags).code == 2


def test_metrics_are_in_the_form_that_prometheus_reads_and_all_are_documented(verified: CommandLine) -> None:
    result = verified.done(*STATUS, "--max-age", "13h", "--prometheus")
    names = set(re.findall(r"^# TYPE (\w+) gauge$", result.out, re.MULTILINE))
    assert {line.split("{")[0] for line in result.out.splitlines() if line[0] != "#"} == names
    assert all(f"# HELP {name} " in result.out for name in names)
    page = (Path(__file__).parents[3] / "docs/reference/command-line.md").read_text("utf-8")
    assert set(re.findall(r"`(resurgam_(?:backup|root_key)_\w+)`", page)) == names
    assert metrics(result)["resurgam_backup_verified_fresh"] == 1
    assert result.out.endswith("\n")
    assert json.loads(verified.done(*STATUS, "--json").out)


def test_a_missing_manifest_ends_status_and_a_verified_backup_with_6_and_the_ages_are_told(
    verified: CommandLine,
) -> None:
    verified.record(user(1))
    verified.done("backup", "run", "--repository", "backups")
    next(Path("backups").glob("*/manifests/*2.json")).unlink()
    result = verified(*STATUS)
    assert result.code == 6
    assert "newest      manifest 3" in result.out
    assert "3.json does not follow" in result.err
    assert verified("backup", "run", "--verified", "--repository", "backups").code == 6
    assert verified.done("backup", "run", "--repository", "backups").code == 0
