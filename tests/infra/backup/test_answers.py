"""Answers: a verified backup holds what the state answered, and a rebuilt state that answers otherwise is refused."""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from domain.errors import Corrupt
from domain.resource_id import fold
from infra.backup import answers, answers_file, lines_file, memory
from infra.backup.manifest import Manifest
from infra.backup.repository import Repository
from infra.backup.segment import OpenerOf
from infra.backup.stores.directory import DirectoryStore
from infra.control_plane import recovery, verified_backup
from infra.control_plane.clock import host_clock
from infra.database.url import open_database
from infra.log import head
from infra.state.snapshot import Snapshot, drawn
from projections import access
from projections import answers as asking
from projections.access import Decision
from tests.backup_estate import (
    FIRST_USE,
    IDENTITY,
    Estate,
    estate,
    is_empty,
    lived_in,
    recover,
    recovered,
    set_secret,
    verify,
)
from tests.forgery import re_sign
from tests.infra.backup.aging import DAY, Aging, check_whole
from tests.infra.cli.estate import APPLICATION, OFFER, OFFERS, PLAN, QUOTA, SUBSCRIPTION
from tests.infra.control_plane.installation import PROVIDER, ROOT_KEY, request, user_id

NAMED = {"providerSubscriptionId": PROVIDER, "resourceGroup": "offers", "name": "small", "displayName": "Small"}
READER = "/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"
GROUP_ID = "77777777-7777-4777-8777-777777777777"
WHEN_RECOVERED = dict.fromkeys(answers.NAMES, "equal")


def inhabited(made: Estate) -> Estate:
    """With an offer, a tenant, an application and a group that has a role."""
    lived_in(made)
    made.record(
        request("CreateResourceGroup", subscriptionId=PROVIDER, name="offers", location="east"),
        request("CreateComputeQuota", providerSubscriptionId=PROVIDER, location="east", name="small", coresLimit=8),
        request("CreatePlan", **NAMED, quotaIds=[QUOTA]),
        request("CreateOffer", **NAMED, state="Public", basePlanIds=[PLAN]),
        request(
            "Subscribe",
            subscriptionId=SUBSCRIPTION,
            displayName="Web",
            owner="user-1@region.example",
            tenantId="33333333-3333-4333-8333-333333333333",
            offerId=OFFER,
        ),
        request("CreateApplication", displayName="Web", appId=APPLICATION),
        request("CreateServicePrincipal", appId=APPLICATION),
        request("AddPasswordCredential", appId=APPLICATION, secretText="a client secret of some length"),
        request("CreateGroup", displayName="Readers", objectId=GROUP_ID),
        request("AddGroupMember", groupId=GROUP_ID, memberId=user_id(3)),
        request("AssignRole", scopeId=f"/subscriptions/{SUBSCRIPTION}", roleDefinitionId=READER, principalId=GROUP_ID),
    )
    return made


def make(of: Estate) -> Manifest:
    return verified_backup.make(of.database, of.root_key, of.repository, host_clock).outcome.manifest


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    with estate(tmp_path_factory.mktemp("answered")) as one:
        make(inhabited(one))
        one.record(set_secret("Database", "after the answers"))
        one.back_up()
        yield one


def asked(of: Estate) -> list[dict[str, Any]]:
    """The lines of an answers file of the head."""
    with of.database.read() as session:
        return [json.loads(line) for line in answers.lines(session, head.read_open(session))]


def results(report: recovery.Report) -> dict[str, str]:
    return {measure.name: measure.result for measure in report.measures if measure.name in answers.NAMES}


Edit = Callable[[list[Any]], None]


def forge(root: Path, of: Estate, edit: Edit, **entry: Any) -> None:
    """Make the lines of the answers others, in manifests that are signed as if they were right."""
    repository = Repository.open(DirectoryStore(root))
    newest = repository.newest(of.deployment)
    assert newest is not None
    told = newest.manifest.answers
    assert told is not None
    opener = lines_file.with_identities([IDENTITY])
    lines = [json.loads(line) for line in lines_file.read(repository.get_object(of.deployment, told), opener, "")]
    edit(lines)
    path = root.parent / "forged-answers"
    encoded = [line if isinstance(line, bytes) else encode(line) for line in lines]
    sealed = lines_file.write(path, encoded, [IDENTITY.recipient], allow_mixed=False)
    update = {"answers": len(lines) - 1, "sha256": sealed.sha256, "size_bytes": sealed.size_bytes, **entry}
    changed = told.model_copy(update=update)
    path.rename(root / changed.name(of.deployment))
    with of.database.read() as session:
        signer = memory.get_signer(session, of.root_key)

    def name_it(manifest: Manifest) -> Manifest:
        return manifest.model_copy(update={"answers": changed}) if manifest.answers else manifest

    re_sign(root, of.deployment, signer, name_it)
    shutil.rmtree(root / of.deployment / "attestations")


def encode(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def of_ask(lines: list[Any], ask: str) -> list[Any]:
    return [line for line in lines if line.get("ask") == ask]


def test_every_sort_of_question_is_asked_and_answered(made: Estate) -> None:
    first, *lines = asked(made)
    assert first["position"] == made.plane.head().position
    assert first["counts"]["user"] == 4
    assert Counter(line["ask"] for line in lines).keys() == {"access", "quota", "login"}
    assert {"allowed": True, "reason": "granted"} in [line["answer"] for line in of_ask(lines, "access")]
    assert {line["answer"]["allowed"] for line in of_ask(lines, "access")} == {True, False}
    assert {"compute"} in [set(line["answer"]) for line in of_ask(lines, "quota")]
    methods = [method for line in of_ask(lines, "login") for method, _ in line["answer"].get("methods", ())]
    assert set(methods) == {"password-hash", "client-secret-hash"}


def test_the_same_state_is_asked_the_same_and_only_so_much(made: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(made) == asked(made)
    monkeypatch.setattr(asking, "SAMPLES", 2)
    counted = Counter(line.get("ask") for line in asked(made))
    assert counted["quota"] <= 2
    assert counted["login"] <= 4
    assert counted["access"] <= 6


def test_a_verified_backup_writes_answers_and_those_after_it_take_them_over(made: Estate) -> None:
    manifests = [stored.manifest for stored in made.repository.chain(made.deployment)]
    *before, verified, later = manifests
    assert {of.answers for of in before} == {None}
    assert verified.answers is not None
    assert verified.answers == later.answers
    assert (verified.answers.position, verified.answers.sequence) == (verified.last, verified.sequence)
    assert verified.answers.position < later.last
    found = made.verify()
    assert (found.answers, found.unnamed) == (verified.answers.answers, ())
    [stored] = made.objects("answers")
    assert b"user-1" not in stored.read_bytes()


@pytest.mark.parametrize("engine", ["sqlite_url", "fresh_postgres_url"])
def test_a_recovery_and_a_drill_answer_the_same(
    made: Estate, tmp_path: Path, request: pytest.FixtureRequest, engine: str
) -> None:
    with recovered(made.copied(tmp_path), tmp_path / "new", request.getfixturevalue(engine)) as (_, report):
        assert results(report) == WHEN_RECOVERED
        measured = {measure.name: measure.found for measure in report.measures}
        assert int(measured["access answers"]) > 3
        assert int(measured["quota answers"]) == 2
    with verified_backup.scratch() as scratch:
        drilled = recovery.drill(scratch, made.repository, [IDENTITY], FIRST_USE, host_clock())
    assert results(drilled) == WHEN_RECOVERED


def test_an_earlier_moment_than_that_of_the_answers_is_not_held_to_them(made: Estate, tmp_path: Path) -> None:
    assert made.newest.answers is not None
    position = made.newest.answers.position
    for asked_for, expected in (
        (position, "equal"),
        (position - 1, f"not made: they are of position {position}"),
    ):
        wish = replace(FIRST_USE, at=str(asked_for))
        with recovered(made.root, tmp_path / str(asked_for), wish=wish) as (_, report):
            assert set(results(report).values()) == {expected}


def answer_otherwise(ask: str, change: Callable[[Any], Any]) -> Edit:
    def edit(lines: list[Any]) -> None:
        line = of_ask(lines, ask)[-1]
        line["answer"] = change(line["answer"])

    return edit


def count_one_more(lines: list[Any]) -> None:
    lines[0]["counts"]["user"] += 1


def count_another_kind(lines: list[Any]) -> None:
    lines[0]["counts"]["role"] = 1


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (answer_otherwise("access", lambda was: {**was, "allowed": not was["allowed"]}), r'to \{"action":'),
        (answer_otherwise("quota", lambda was: {"compute": {"coresLimit": 9}}), r'to \{"ask":"quota"'),
        (answer_otherwise("login", lambda was: {"allowed": False, "reason": "disabled"}), r'to \{"ask":"login"'),
        (count_one_more, "holds 4 of kind user at position .*, the backup says 5"),
        (count_another_kind, "holds 0 of kind role at position .*, the backup says 1"),
    ],
    ids=["access", "quota", "login", "count", "kind"],
)
def test_a_state_that_answers_otherwise_is_refused_and_the_store_stays_empty(
    made: Estate, tmp_path: Path, edit: Edit, said: str
) -> None:
    root = made.copied(tmp_path)
    forge(root, made, edit)
    verify(root, made.deployment)  # only a rebuilt state can tell
    database = open_database(f"sqlite:///{tmp_path}/target.db", create=True)
    for wish in (FIRST_USE, replace(FIRST_USE, accept_damage=True)):
        with pytest.raises(Corrupt, match=said):
            recover(database, tmp_path, root, wish)
        assert is_empty(database)
    with verified_backup.scratch() as scratch, pytest.raises(Corrupt, match=said):
        recovery.drill(scratch, Repository.open(DirectoryStore(root)), [IDENTITY], FIRST_USE, host_clock())
    database.close()


def test_a_release_that_decides_otherwise_is_found(made: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "check", lambda *_, **__: Decision(True, "granted", "everybody may"))
    with verified_backup.scratch() as scratch, pytest.raises(Corrupt, match=r'answers \{"allowed":true,"reason":"gran'):
        recovery.drill(scratch, made.repository, [IDENTITY], FIRST_USE, host_clock())


def test_a_question_of_a_later_release_is_told_and_not_passed_over(made: Estate, tmp_path: Path) -> None:
    root = made.copied(tmp_path)
    forge(root, made, lambda lines: lines.append({"ask": "weather", "answer": "fine", "place": "east"}))
    with recovered(root, tmp_path / "new") as (_, report):
        told = {measure.name: measure.result for measure in report.measures}
    assert told["weather answers"] == "not made: this release does not know the question"


def no_json(lines: list[Any]) -> None:
    lines[1] = b"{"


def no_answer(lines: list[Any]) -> None:
    del lines[1]["answer"]


def other_position(lines: list[Any]) -> None:
    lines[0]["position"] += 1


def no_counts(lines: list[Any]) -> None:
    del lines[0]["counts"]


@pytest.mark.parametrize(
    ("edit", "entry", "said"),
    [
        (no_json, {}, "answers 4 of position"),
        (no_answer, {}, "hold a line that is no answer"),
        (other_position, {}, "are not the answers that their manifest says"),
        (no_counts, {}, "do not say what was counted"),
        (lambda lines: None, {"answers": 7}, r"hold \d+ answers, not 7"),
    ],
)
def test_a_file_that_is_not_what_its_manifest_says_is_corrupt(
    made: Estate, tmp_path: Path, edit: Edit, entry: dict[str, Any], said: str
) -> None:
    root = made.copied(tmp_path)
    forge(root, made, edit, **entry)
    with pytest.raises(Corrupt, match=said):
        verify(root, made.deployment)
    database = open_database(f"sqlite:///{tmp_path}/target.db", create=True)
    with pytest.raises(Corrupt, match="--accept-damage goes on without the answers"):
        recover(database, tmp_path, root)
    assert is_empty(database)
    report = recover(database, tmp_path, root, replace(FIRST_USE, accept_damage=True))
    assert all(result.startswith("not made: ") for result in results(report).values())
    database.close()


def test_damage_to_the_object_is_found_with_and_without_an_identity(made: Estate, tmp_path: Path) -> None:
    root = made.copied(tmp_path)
    [path] = (root / made.deployment / "answers").iterdir()
    data = path.read_bytes()
    for harmed in (data[:-1], data[:60] + bytes([data[60] ^ 1]) + data[61:], b""):
        path.write_bytes(harmed)
        for identities in ((), (IDENTITY,)):
            with pytest.raises(Corrupt, match="is not what its manifest says"):
                verify(root, made.deployment, identities)
    path.unlink()
    with pytest.raises(Corrupt, match="is missing, but a manifest names it"):
        verify(root, made.deployment, ())


def test_answers_of_a_position_beyond_the_backup_are_refused(made: Estate) -> None:
    of = made.newest
    assert of.answers is not None
    for position in (0, of.last + 1):
        wrong = of.model_copy(update={"answers": of.answers.model_copy(update={"position": position})})
        with pytest.raises(Corrupt, match=f"has answers of position {position}, beyond"):
            wrong.check()


def test_answers_are_pruned_with_the_last_manifest_that_names_them(tmp_path: Path) -> None:
    with estate(tmp_path) as one:
        lived_in(one)
        aging = Aging(one)
        for _ in range(6):
            verified_backup.make(one.database, ROOT_KEY, one.repository, aging.clock)
            aging.pass_time(DAY / 2)
            aging.back_up()
            aging.pass_time(DAY / 2)
        before = len(one.objects("answers"))
        for _ in range(2):
            aging.prune()
            aging.pass_time(DAY)
            aging.back_up()
        aging.prune()
        named = {stored.manifest.answers for stored in one.repository.chain(one.deployment)} - {None}
        assert len(one.objects("answers")) == len(named) < before
        check_whole(one)
        one.verify()
        with recovered(one.copied(tmp_path / "copy"), tmp_path / "new") as (_, report):
            assert results(report) == WHEN_RECOVERED


def test_the_file_reads_back_as_what_was_asked(made: Estate) -> None:
    entry = made.newest.answers
    assert entry is not None
    opener_of = OpenerOf(lines_file.with_identities([IDENTITY]))
    stored = answers_file.read(made.repository, made.deployment, entry, opener_of)
    assert stored.position == entry.position
    assert len(stored.asked) == entry.answers
    assert OFFERS not in json.dumps(stored.counts)


def test_answers_that_read_back_otherwise_end_the_run_before_its_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = lines_file.write

    def otherwise(path: Path, *arguments: Any, **keywords: Any) -> lines_file.Sealed:
        sealed = real(path, *arguments, **keywords)
        return replace(sealed, content_sha256=bytes(32)) if path.name == "answers" else sealed

    with estate(tmp_path) as one:
        lived_in(one)
        before = one.newest
        with monkeypatch.context() as harmed:
            harmed.setattr(lines_file, "write", otherwise)
            with pytest.raises(Corrupt, match=r"answers 4 of position .* reads back with other lines"):
                make(one)
        assert one.newest == before
        assert make(one).answers is not None


def test_whatever_number_is_drawn_a_kind_that_exists_gives_a_resource_that_lives(made: Estate) -> None:
    with made.database.read() as session:
        at = head.read_open(session)
        state, draw = Snapshot(session, at.position), drawn(session, at.position)
        for kind in state.counts():
            found = {draw(kind, number) for number in range(at.position + 2)}
            assert found == {fold(resource.id) for resource in state.of_kind(kind)}
        assert draw("claims-provider-trust", 1) is None
