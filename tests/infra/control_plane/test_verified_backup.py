"""Verified backups: attested is only what was read from the repository, replayed, and found equal."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from domain.errors import Corrupt, Unavailable, WrongKey
from infra.backup import answers, attestation, keyring_file, lines_file, run
from infra.backup.age import fingerprint
from infra.backup.attestation import Judged
from infra.backup.repository import Repository, Stored
from infra.backup.run import Outcome
from infra.backup.segment import OpenerOf
from infra.backup.stores.directory import DirectoryStore
from infra.control_plane import recovery, verified_backup
from infra.control_plane.clock import host_clock
from infra.control_plane.recovery import Report, Wish
from infra.control_plane.verified_backup import Attested, Verified
from infra.database.session import Session
from infra.keys import keyring
from infra.log import local_fact
from tests.attestations import signer_of
from tests.backup_estate import (
    FIRST_USE,
    IDENTITY,
    OTHER_IDENTITY,
    Estate,
    estate,
    lived_in,
    recovered,
    set_password,
    set_secret,
)
from tests.infra.control_plane.installation import user_request


@pytest.fixture
def made(tmp_path: Path, store_url: str) -> Iterator[Estate]:
    with estate(tmp_path, store_url) as one:
        yield lived_in(one)


@pytest.fixture
def simple(tmp_path: Path) -> Iterator[Estate]:
    """The same on SQLite alone, where the engine makes no difference."""
    with estate(tmp_path) as one:
        yield lived_in(one)


def make(of: Estate) -> Verified:
    return verified_backup.make(of.database, of.root_key, of.repository, host_clock)


def drill(of: Estate, wish: Wish = FIRST_USE) -> Report:
    with verified_backup.scratch() as scratch:
        return recovery.drill(scratch, of.repository, of.identities, wish, host_clock())


def judged(of: Estate) -> list[Judged]:
    names = attestation.names(of.repository, of.deployment)
    newest = of.repository.newest(of.deployment)
    assert newest is not None
    return [attestation.judge(of.repository, name, newest, of.identities) for name in names]


def test_a_verified_backup_is_replayed_from_the_repository_without_an_identity(made: Estate) -> None:
    made.record(set_secret("Database", "third value"))
    began = host_clock()
    verified = make(made)
    of = verified.outcome.manifest
    assert (of.sequence, of.last, verified.outcome.records) == (4, made.plane.head().position, 2)
    assert {measure.name: measure.result for measure in verified.report.measures} == {
        "position": "equal",
        "merkle root": "equal",
        "state digest": "equal",
        **dict.fromkeys(answers.NAMES, "equal"),
    }
    assert verified.report.keys == made.verify().keys
    [one] = judged(made)
    assert (one.name, one.standing) == (verified.attestation, "valid")
    assert one.attestation is not None
    assert (one.attestation.position, one.attestation.keys) == (of.last, verified.report.keys)
    assert began < one.attestation.verified_at < host_clock()


def test_it_begins_a_new_keyring_also_if_nothing_is_new_and_keeps_no_key_of_it(made: Estate) -> None:
    sequences = [make(made).outcome.manifest.sequence for _ in range(2)]
    assert sequences == [4, 5]
    newest = made.newest
    assert [(k.after, k.until, k.sequence) for k in newest.keyring] == [(0, 22, 5)]
    with made.database.read() as session:
        facts = b"".join(name.encode() + value for name, value in local_fact.with_prefix(session, "s").items())
    assert newest.keyring[0].sha256.encode() not in facts
    made.record(set_password(1, "yet another password"))
    made.back_up()
    found = made.verify()
    assert (found.manifests, found.unnamed, found.attestations) == (6, (), 2)


def test_a_shredded_key_is_in_no_file_that_a_verified_backup_names(simple: Estate) -> None:
    make(simple)
    with simple.database.read() as session:
        live = {key.key_id for key in keyring.changed_between(session, 0, 2**62) if key.is_live}
    contents = keyring_file.read_all(
        simple.repository, simple.newest, OpenerOf(lines_file.with_identities(simple.identities))
    )
    assert contents.live.keys() == live
    assert contents.shredded


def test_a_backup_recovers_after_it_was_verified(simple: Estate, tmp_path: Path) -> None:
    make(simple)
    with recovered(simple.root, tmp_path / "new") as (found, report):
        assert report.recovered_position == simple.plane.head().position
        again = make(found)  # and the recovered deployment verifies its own
    assert again.outcome.manifest.ancestor is not None
    assert again.outcome.manifest.deployment != simple.deployment


@pytest.mark.parametrize("folder", ["segments", "keyrings", "answers"])
def test_an_object_that_was_changed_after_it_was_written_is_found_and_nothing_attested(
    simple: Estate, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = run.run

    def and_then_damaged(*arguments: Any, **keywords: Any) -> Outcome:
        outcome = real(*arguments, **keywords)
        path = simple.objects(folder)[-1]
        path.write_bytes(path.read_bytes()[:-1] + b"x")
        return outcome

    monkeypatch.setattr(run, "run", and_then_damaged)
    with pytest.raises(Corrupt, match=folder):
        make(simple)
    assert attestation.names(simple.repository, simple.deployment) == []


def test_another_manifest_in_the_place_of_the_one_that_was_written_is_found(
    simple: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Repository.read
    reads = 0

    def other(self: Repository, name: str) -> Stored:
        nonlocal reads
        found = real(self, name)
        reads += name.endswith("4.json")
        return found if reads < 2 else Stored(found.manifest, found.data + b" ")

    monkeypatch.setattr(Repository, "read", other)
    with pytest.raises(Corrupt, match="another one than this deployment has just written"):
        make(simple)


def test_a_sealed_value_without_a_key_in_the_repository_is_found(
    simple: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = keyring.changed_between

    def but_one(session: Session, after: int, until: int) -> Iterator[keyring.WrappedKey]:
        keys = list(real(session, after, until))
        keys.remove(next(key for key in keys if key.is_live))
        return iter(keys)

    monkeypatch.setattr(keyring, "changed_between", but_one)
    with pytest.raises(Corrupt, match="the keyring lacks the key"):
        make(simple)
    assert attestation.names(simple.repository, simple.deployment) == []


def test_a_wrong_key_in_the_repository_is_found(simple: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    real = keyring_file.lines

    def exchanged(*arguments: Any) -> Iterator[bytes]:
        lines = list(real(*arguments))
        live = [n for n, line in enumerate(lines) if b'"key":"' in line]
        first, second = (lines[n].split(b'"key":"')[1][:44] for n in live[:2])
        lines[live[0]] = lines[live[0]].replace(first, second)
        return iter(lines)

    monkeypatch.setattr(keyring_file, "lines", exchanged)
    with pytest.raises((Corrupt, WrongKey)):
        make(simple)
    assert attestation.names(simple.repository, simple.deployment) == []


def test_a_state_that_replay_does_not_give_is_found(simple: Estate) -> None:
    simple.record(user_request(9))
    with simple.database.write() as session:
        [(digest,)] = session.execute("SELECT digest FROM log_head")
        session.execute("UPDATE log_head SET digest = ?", (bytes(digest[:-1]) + bytes([digest[-1] ^ 1]),))
    with pytest.raises(Corrupt, match="the rebuilt state digest is"):
        make(simple)
    assert attestation.names(simple.repository, simple.deployment) == []


def test_without_a_kept_file_key_nothing_can_be_read_back(simple: Estate) -> None:
    with simple.database.write() as session:
        session.execute("DELETE FROM local_facts WHERE name LIKE 'segment-key/%'")
    with pytest.raises(WrongKey, match="no key is kept for the object"):
        make(simple)


def test_a_drill_attests_by_the_identity_that_is_a_recipient(simple: Estate) -> None:
    simple.endorse()
    simple.record(user_request(9))
    simple.back_up()
    report = drill(simple, Wish())
    before = {path: path.read_bytes() for path in simple.files()}
    attested = verified_backup.attest_drill(
        simple.repository, report, (OTHER_IDENTITY, IDENTITY), "2026-11-22T12:00:00.000000Z"
    )
    [one] = judged(simple)
    assert (attested, one.standing) == (Attested(name=one.name), "valid")
    assert one.attestation is not None
    assert one.attestation.verified_at == "2026-11-22T12:00:00.000000Z"
    assert one.attestation.by() == f"identity {fingerprint(IDENTITY.recipient)}"
    assert {path: path.read_bytes() for path in before} == before


def test_a_drill_of_a_part_is_not_attested(simple: Estate) -> None:
    report = drill(simple, Wish(at="20", verifier=signer_of(simple).verifier))
    attested = verified_backup.attest_drill(simple.repository, report, simple.identities, host_clock())
    assert "state digest was not made" in attested.reason
    assert attestation.names(simple.repository, simple.deployment) == []


def test_a_drill_vouches_for_no_signer_that_nobody_vouched_for(simple: Estate) -> None:
    attested = verified_backup.attest_drill(simple.repository, drill(simple), simple.identities, host_clock())
    assert "nothing proves the signer" in attested.reason


def test_a_drill_without_the_right_to_write_is_a_drill(simple: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    report = drill(simple, Wish(verifier=signer_of(simple).verifier))

    def refuse(self: DirectoryStore, name: str, data: bytes) -> None:
        raise Unavailable(f"cannot write {name}: {os.strerror(30)}")

    monkeypatch.setattr(DirectoryStore, "put_new", refuse)
    attested = verified_backup.attest_drill(simple.repository, report, simple.identities, host_clock())
    assert "takes no attestation from here: cannot write" in attested.reason


def test_the_scratch_store_is_thrown_away_whatever_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(KeyboardInterrupt), verified_backup.scratch():
        assert len(list(tmp_path.iterdir())) == 1
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with pytest.raises(Unavailable, match="TMPDIR"), verified_backup.scratch():
        pass
