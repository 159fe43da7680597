"""Restored values: which keys they need, what was destroyed and stays so, and what no backup holds any more."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from domain.errors import Corrupt, ResurgamError
from domain.sealed_value import key_ids
from infra.cli import state
from infra.control_plane import restoration, restoration_report, verified_backup
from infra.control_plane.clock import host_clock
from infra.control_plane.restored_values import BackupKeys, Values
from infra.keys import keyring
from tests.backup_estate import (
    VAULT,
    Estate,
    estate,
    recovered,
    set_password,
    set_secret,
    vault_requests,
)
from tests.infra.control_plane.installation import (
    ACTOR,
    PASSWORD,
    request,
    user_request,
)
from tests.restoration_estate import (
    SECRET,
    USER,
    current,
    position,
    proposed,
    purge,
    restore,
    state_of,
    value_of,
)


@pytest.fixture
def made(tmp_path: Path, store_url: str) -> Iterator[Estate]:
    """A vault with a secret and three users, backed up once, on each engine in turn."""
    with estate(tmp_path, store_url) as one:
        one.record(*vault_requests(), *map(user_request, range(3)))
        one.back_up()
        yield one


def test_what_was_there_all_along_keeps_its_key(made: Estate) -> None:
    version = current(made)
    made.record(request("DeleteVault", id=VAULT), set_password(1, "a ruined password"))
    keys, ruined = list(key_ids(state_of(made, version))), value_of(made, USER)
    proposal = restore(made, "vaults")
    assert (proposal.brought_back, proposal.destroyed) == ([], [])
    assert list(key_ids(state_of(made, version))) == keys
    assert value_of(made, version) == b"first value"
    assert value_of(made, USER) == ruined, "of another service not even the ruin is touched"


def test_a_value_that_was_destroyed_is_sealed_again_under_a_fresh_key(made: Estate) -> None:
    version, at = current(made), position(made)
    [old] = key_ids(state_of(made, version))
    purge(made)
    made.back_up()
    proposal = restore(made, "vaults", at)
    assert proposal.brought_back == [(version, at + 2)]
    [new] = key_ids(state_of(made, version))
    assert new != old
    assert value_of(made, version) == b"first value"
    with made.database.read() as session:
        row = keyring.find(session, old)
    assert row is not None
    assert not row.is_live, "what was destroyed stays so"
    made.back_up()
    with recovered(made.root, made.folder / "new") as (again, report):
        assert value_of(again, version) == b"first value"
        assert report.lost == []
    assert restoration_changes(made, "vaults", at) == 0, "the same value under another key is no difference"


def restoration_changes(made: Estate, service: str, at: int | None = None) -> int:
    with proposed(made, service, at) as proposal:
        return len(proposal.vetted.accepted)


def test_the_keyring_of_the_first_backup_that_covers_the_position_is_tried(made: Estate) -> None:
    version, at = current(made), position(made)
    purge(made)
    made.record(user_request(7))
    made.back_up()
    made.record(user_request(8))
    made.back_up()
    for newer in made.objects("keyrings")[1:]:
        assert newer.exists()
    assert restore(made, "vaults", at).brought_back == [(version, at + 2)]


def test_a_value_that_no_backup_holds_any_more_is_listed_and_its_secret_stays_away(made: Estate) -> None:
    version, at = current(made), position(made)
    purge(made)
    verified_backup.make(made.database, made.root_key, made.repository, host_clock)
    base = made.newest.keyring
    for keyring_file in made.objects("keyrings"):
        if base[0].sha256 not in keyring_file.name:
            keyring_file.unlink()  # as a prune does, after its grace
    with proposed(made, "vaults", at) as proposal:
        assert proposal.vetted.accepted == []
        assert {one.alteration.id: one.rule for one in proposal.vetted.skipped} == {
            version: "value-destroyed",
            SECRET: "secret-version-exists",
        }


def test_no_secret_is_shown(made: Estate, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    at, version = position(made), current(made)
    made.record(set_secret("Database", "second value"), set_password(1, "another long password"))
    purge(made)
    proposal = restore(made, "all", at)
    assert value_of(made, version) == b"first value"
    output = capfd.readouterr()
    told = [repr(proposal), json.dumps(restoration_report.describe(proposal, state.changes)), caplog.text, *output]
    secrets = ("first value", "second value", PASSWORD, "another long password", "$argon2id$")
    assert [secret for secret in secrets if any(secret in text for text in told)] == []
    assert not any("ciphertext" in text for text in told[1:])


def test_a_password_of_then_opens_again_and_that_of_now_is_destroyed(made: Estate) -> None:
    made.record(set_password(1, "another long password"))
    old = list(key_ids(state_of(made, USER)))
    proposal = restore(made, "identity")
    assert proposal.destroyed == [USER]
    assert [resource for resource, _ in proposal.brought_back] == [USER]
    assert value_of(made, USER).startswith(b"$argon2id$")
    with made.database.read() as session:
        row = keyring.find(session, old[0])
    assert row is not None
    assert not row.is_live


def test_a_key_that_is_not_where_it_should_be_is_corrupt(made: Estate) -> None:
    version = current(made)
    [key_id] = key_ids(state_of(made, version))
    purge(made)
    with made.database.write() as session:
        session.execute("UPDATE keyring SET shredded_at = 0 WHERE key_id = ?", (key_id,))
    with proposed(made, "vaults") as proposal, pytest.raises(Corrupt, match="verify the log"):
        restoration.apply(made.database, made.root_key, proposal, ACTOR)


def unchanged(*_: object) -> None:
    """Check nothing."""


@pytest.mark.parametrize(
    ("module", "check", "without", "shown_by"),
    [
        (Values, "lost", unchanged, test_a_value_that_no_backup_holds_any_more_is_listed_and_its_secret_stays_away),
        (Values, "kept", lambda _, one: one, test_a_value_that_was_destroyed_is_sealed_again_under_a_fresh_key),
        (Values, "sealed_again", lambda _, one: one, test_a_password_of_then_opens_again_and_that_of_now_is_destroyed),
        (BackupKeys, "_covering", lambda _: (), test_the_keyring_of_the_first_backup_that_covers_the_position_is_tried),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_every_check_is_missed_where_it_is_left_out(
    made: Estate, monkeypatch: pytest.MonkeyPatch, module: Any, check: str, without: Any, shown_by: Any
) -> None:
    monkeypatch.setattr(module, check, without)
    with pytest.raises((AssertionError, ResurgamError, pytest.fail.Exception)):
        shown_by(made)
