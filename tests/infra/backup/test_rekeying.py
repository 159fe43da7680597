"""Rekeying: everything is sealed again to the present recipients, and manifests say truly who opens what."""

import io
import threading
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from domain.errors import Corrupt, Unavailable, WrongKey
from infra.backup import audience, endorsement, reach, rekeying, run, segment, turn
from infra.backup.age import AgeIdentity, X25519Identity, decrypt, fingerprint
from infra.backup.manifest import AudienceEntry, Manifest, RecipientEntry
from infra.backup.reach import Reaches
from infra.backup.rekeying import Rekeyed
from infra.backup.repository import Repository
from infra.backup.stores.directory import DirectoryStore
from infra.control_plane.clock import host_clock
from infra.log import head, local_fact
from projections.progress import Progress, silent
from tests.backup_estate import IDENTITY, OTHER_IDENTITY, Estate, estate, lived_in, records_of, recovered, set_secret
from tests.infra.backup.aging import Aging
from tests.infra.control_plane.installation import request, user_request

THIRD_IDENTITY = X25519Identity(bytes(range(2, 34)))
IDENTITIES = (IDENTITY, OTHER_IDENTITY, THIRD_IDENTITY)


@pytest.fixture
def made(tmp_path: Path, store_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Estate]:
    """Three backups in several segments each, none of which is compacted."""
    monkeypatch.setattr(segment, "RECORDS_MAX", 6)
    with estate(tmp_path, store_url) as one:
        yield lived_in(one)


def add(made: Estate, name: str, identity: AgeIdentity) -> None:
    made.record(request("AddBackupRecipient", name=name, recipient=str(identity.recipient)))


def retire(made: Estate, name: str) -> None:
    made.record(request("RetireBackupRecipient", name=name))


def rekey(made: Estate, progress: Progress = silent, repository: Repository | None = None) -> Rekeyed:
    return rekeying.rekey(made.database, made.root_key, repository or made.repository, host_clock, progress)


def opens(identity: AgeIdentity, data: bytes) -> bool:
    """Whether an identity opens a file in truth."""
    try:
        return bool(decrypt(io.BytesIO(data), [identity]).read())
    except WrongKey:
        return False


def truth(made: Estate, of: Manifest) -> dict[str, set[str]]:
    """Who opens each object, found by trying."""
    return {
        entry.sha256: {
            fingerprint(i.recipient)
            for i in IDENTITIES
            if opens(i, (made.root / entry.name(of.deployment)).read_bytes())
        }
        for entry in of.objects()
    }


def said(of: Manifest) -> dict[str, set[str]]:
    return {sha256: {to.fingerprint for to in recipients} for sha256, recipients in audience.recipients_of(of).items()}


def reaches_of(made: Estate) -> Reaches:
    reaches = Reaches(made.repository)
    for _ in reaches.passing(stored.manifest for stored in made.repository.chain(made.deployment)):
        pass
    return reaches


def fp(identity: AgeIdentity) -> str:
    return fingerprint(identity.recipient)


def test_manifests_say_truly_to_whom_each_of_their_objects_is_sealed(made: Estate) -> None:
    add(made, "second", OTHER_IDENTITY)
    made.back_up()
    made.record(user_request(4), set_secret("Third", "value"))
    add(made, "third", THIRD_IDENTITY)
    made.back_up()
    retire(made, "second")
    made.back_up()
    made.record(*map(user_request, range(5, 12)))
    made.back_up()
    audiences = {frozenset(who) for who in said(made.newest).values()}
    assert len(audiences) > 2
    for stored in made.repository.chain(made.deployment):
        assert said(stored.manifest) == truth(made, stored.manifest)
    rekey(made)
    assert said(made.newest) == truth(made, made.newest)
    assert made.newest.audiences == ()


def test_a_new_recipient_opens_nothing_that_was_there_until_everything_is_rekeyed(made: Estate, tmp_path: Path) -> None:
    add(made, "second", OTHER_IDENTITY)
    made.back_up()
    with pytest.raises(WrongKey, match=r"when they were no recipients.*backup rekey"):
        endorsement.check_identities(made.newest, [OTHER_IDENTITY])
    with pytest.raises(WrongKey), recovered(made.root, tmp_path / "too early", identities=[OTHER_IDENTITY]):
        pass
    done = rekey(made)
    assert done.manifests > 1
    endorsement.check_identities(made.newest, [OTHER_IDENTITY])
    assert made.verify(OTHER_IDENTITY).records == made.plane.head().position
    with recovered(made.root, tmp_path / "other place", identities=[OTHER_IDENTITY]) as (again, report):
        assert report.recovered_position == made.plane.head().position
        assert records_of(again.database)[: made.plane.head().position] == records_of(made.database)


def test_together_identities_recover_what_none_of_them_opens_alone(made: Estate, tmp_path: Path) -> None:
    add(made, "second", OTHER_IDENTITY)
    retire(made, "recipient-0")
    made.record(*map(user_request, range(5, 12)))
    made.back_up()
    for alone in (IDENTITY, OTHER_IDENTITY):
        with pytest.raises(WrongKey, match="in part"):
            endorsement.check_identities(made.newest, [alone])
    with recovered(made.root, tmp_path / "other place", identities=[IDENTITY, OTHER_IDENTITY]) as (_, report):
        assert report.recovered_position == made.plane.head().position


def test_a_retired_recipient_opens_nothing_new_from_the_next_run_on(made: Estate) -> None:
    add(made, "second", OTHER_IDENTITY)
    made.back_up()
    retire(made, "recipient-0")
    made.record(set_secret("Third", "value"))
    before = set(made.files())
    outcome = made.back_up()
    assert [to.fingerprint for to in outcome.manifest.recipients] == [fp(OTHER_IDENTITY)]
    written = [path for path in set(made.files()) - before if path.suffix == ".age"]
    assert len(written) >= 2
    assert not any(opens(IDENTITY, path.read_bytes()) for path in written)
    assert all(opens(OTHER_IDENTITY, path.read_bytes()) for path in written)


def test_after_rekeying_a_retired_recipient_opens_nothing_that_the_newest_backup_names(made: Estate) -> None:
    add(made, "second", OTHER_IDENTITY)
    made.back_up()
    retire(made, "recipient-0")
    made.back_up()
    assert any(fp(IDENTITY) in who for who in truth(made, made.newest).values())
    rekey(made)
    assert set(map(frozenset, truth(made, made.newest).values())) == {frozenset({fp(OTHER_IDENTITY)})}
    assert made.verify(OTHER_IDENTITY).records == made.plane.head().position
    with pytest.raises(WrongKey):
        endorsement.check_identities(made.newest, [IDENTITY])


def test_rekeying_what_is_sealed_rightly_writes_nothing(made: Estate) -> None:
    before = {path: path.read_bytes() for path in made.files()}
    assert rekey(made).manifests == 0
    assert {path: path.read_bytes() for path in made.files()} == before
    add(made, "second", OTHER_IDENTITY)
    assert rekey(made).manifests > 0
    before = {path: path.read_bytes() for path in made.files()}
    assert rekey(made).manifests == 0
    assert {path: path.read_bytes() for path in made.files()} == before


def test_the_first_backup_may_be_a_rekeying(tmp_path: Path) -> None:
    with estate(tmp_path) as made:
        assert rekey(made).manifests == 1
        assert made.verify().records == made.plane.head().position


def test_earlier_manifests_stay_as_they_were_and_still_verify(made: Estate) -> None:
    before = {path: path.read_bytes() for path in made.files()}
    add(made, "second", OTHER_IDENTITY)
    rekey(made)
    assert {path: path.read_bytes() for path in made.files() if path in before} == before
    assert made.verify(IDENTITY).manifests == len(made.objects("manifests"))


def test_a_killed_rekeying_goes_on_where_it_was(made: Estate) -> None:
    add(made, "second", OTHER_IDENTITY)
    made.back_up()
    ends = _Ending(made.root, puts=5)
    with pytest.raises(Unavailable):
        rekey(made, repository=Repository.open(ends))
    left = len(audience.stale(made.newest, made.newest.recipients))
    assert 0 < left < len(made.newest.objects())
    assert said(made.newest) == truth(made, made.newest)
    assert made.verify(IDENTITY, OTHER_IDENTITY).records == made.plane.head().position
    rekey(made)
    assert made.verify(OTHER_IDENTITY).records == made.plane.head().position


class _Ending(DirectoryStore):
    """A store that goes away after so many puts."""

    def __init__(self, root: Path, puts: int) -> None:
        super().__init__(root)
        self._left = puts

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise Unavailable("the store went away")

    def put_new(self, name: str, data: bytes) -> None:
        self._count()
        super().put_new(name, data)

    def put_file_new(self, name: str, path: Path) -> None:
        self._count()
        super().put_file_new(name, path)


def test_beside_a_writer_and_its_backups_everything_is_rekeyed_in_the_end(made: Estate) -> None:
    add(made, "second", OTHER_IDENTITY)
    stop = threading.Event()

    def back_up_all_the_time() -> None:
        number = 100
        while not stop.is_set():
            made.record(user_request(number))
            run.run(made.database, made.root_key, made.repository, host_clock)
            number += 1

    beside = threading.Thread(target=back_up_all_the_time)
    beside.start()
    try:
        done = rekey(made)
    finally:
        stop.set()
        beside.join()
    assert done.last.manifest.audiences == ()
    assert made.newest.audiences == ()
    assert made.verify(OTHER_IDENTITY).records == made.plane.head().position


class _Slow(DirectoryStore):
    """A store that takes longer to put a file than a small run takes as a whole."""

    def put_file_new(self, name: str, path: Path) -> None:
        time.sleep(0.3)
        super().put_file_new(name, path)


def test_a_slow_rekeying_does_not_lose_every_race_against_a_watch(made: Estate) -> None:
    add(made, "second", OTHER_IDENTITY)
    stop = threading.Event()

    def back_up_all_the_time() -> None:
        for number in range(100, 10_000):
            if stop.is_set():
                return
            made.record(user_request(number))
            run.run(made.database, made.root_key, made.repository, host_clock)

    beside = threading.Thread(target=back_up_all_the_time)
    beside.start()
    try:
        done = rekey(made, repository=Repository.open(_Slow(made.root)))
    finally:
        stop.set()
        beside.join()
    assert done.last.manifest.audiences == ()
    assert made.verify(OTHER_IDENTITY).records == made.plane.head().position


def test_a_run_waits_for_the_step_of_a_rekeying_until_it_ends(made: Estate) -> None:
    slept = []
    with turn.taken(made.database):

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            if len(slept) == 3:
                with made.database.write() as session:
                    local_fact.delete(session, [turn.FACT])

        turn.wait(made.database, sleep)
    assert len(slept) == 3
    turn.wait(made.database, sleep)
    assert len(slept) == 3


def _never(seconds: float) -> None:
    pytest.fail(f"it waited {seconds} s")


@pytest.mark.parametrize("until_us", [-1, 2 * turn.STEP_US_MAX], ids=["killed long ago", "the clock was set back"])
def test_a_run_does_not_wait_for_a_rekeying_that_was_killed(made: Estate, until_us: int) -> None:
    with made.database.write() as session:
        local_fact.put(session, turn.FACT, str(session.now_us() + until_us).encode())
    turn.wait(made.database, _never)
    assert made.back_up().manifest == made.newest


def test_a_rekeying_that_fails_holds_up_nobody(made: Estate) -> None:
    add(made, "second", OTHER_IDENTITY)
    with pytest.raises(Unavailable):
        rekey(made, repository=Repository.open(_Ending(made.root, puts=1)))
    turn.wait(made.database, _never)


def test_records_that_are_not_those_that_were_backed_up_are_not_sealed_again(made: Estate) -> None:
    add(made, "second", OTHER_IDENTITY)
    made.back_up()
    before = made.files()
    with made.database.write() as session:
        [(other,)] = session.execute("SELECT record FROM events WHERE position = 3")
        session.execute(
            "UPDATE events SET record = ? WHERE position = 2", (bytes(other).replace(b'"position":3', b'"position":2'),)
        )
    with pytest.raises(Corrupt, match="not those that were backed up"):
        rekey(made)
    assert [path.parent.name for path in set(made.files()) - set(before)].count("manifests") == 0


def test_what_a_retired_recipient_can_still_open_is_told_and_until_when(made: Estate) -> None:
    add(made, "second", OTHER_IDENTITY)
    made.back_up()
    last_seen = made.newest
    retire(made, "recipient-0")
    made.record(set_secret("Third", "value"))
    made.back_up()
    one = reaches_of(made).of(fp(IDENTITY))
    assert one is not None
    assert (one.is_present, one.newest, one.last_manifest) == (False, "part", made.newest)
    rekey(made)
    one, other = reaches_of(made).of(fp(IDENTITY)), reaches_of(made).of(fp(OTHER_IDENTITY))
    assert one is not None
    assert other is not None
    assert (one.is_present, one.newest) == (False, "nothing")
    assert one.last == last_seen.last
    assert one.keys_until <= last_seen.last
    assert one.last_manifest is not None
    assert one.last_manifest.sequence < made.newest.sequence
    assert (other.is_present, other.newest, other.last) == (True, "all", made.newest.last)
    openable = {
        sha256(data).hexdigest(): len(data)
        for path in made.files()
        if path.suffix == ".age"
        for data in [path.read_bytes()]
        if opens(IDENTITY, data)
    }
    assert {name: opened.entry.size_bytes for name, opened in one.objects.items()} == openable
    assert one.size_bytes == sum(openable.values())
    for path in made.files():
        if path.suffix == ".age" and opens(IDENTITY, path.read_bytes()):
            path.unlink()
    one = reaches_of(made).of(fp(IDENTITY))
    assert one is not None
    assert (one.objects, one.last, one.keys_until, one.last_manifest) == ({}, 0, 0, None)


def test_once_what_was_there_before_is_pruned_a_retired_recipient_opens_nothing(aging: Aging) -> None:
    made = aging.made
    add(made, "second", OTHER_IDENTITY)
    retire(made, "recipient-0")
    aging.back_up()
    rekey(made)
    before = reaches_of(made).of(fp(IDENTITY))
    assert before is not None
    assert before.objects
    for _ in range(4):
        aging.live_days(2)
        aging.prune()
    after = reaches_of(made).of(fp(IDENTITY))
    assert after is not None
    assert after.objects == {}
    assert not any(opens(IDENTITY, path.read_bytes()) for path in made.files() if path.suffix == ".age")
    assert made.verify(OTHER_IDENTITY).records == made.plane.head().position


def test_every_recipient_that_ever_was_is_named_by_the_log(made: Estate) -> None:
    add(made, "second", OTHER_IDENTITY)
    retire(made, "recipient-0")
    with made.database.read() as session:
        at = head.read_open(session)
        names = reach.named(session, at.position)
    assert names[fp(IDENTITY)].id.endswith("/recipient-0")
    assert (names[fp(IDENTITY)].retired_position, names[fp(OTHER_IDENTITY)].retired_position) == (at.position, 0)
    assert names[fp(IDENTITY)].retired_at == at.instant
    add(made, "back again", IDENTITY)
    with made.database.read() as session:
        back = reach.named(session, head.read_open(session).position)[fp(IDENTITY)]
    assert (back.retired_position, back.id.rsplit("/", 1)[1]) == (0, "back again")


def test_of_manifests_that_do_not_say_it_nothing_is_claimed(made: Estate) -> None:
    silent_one = made.newest.model_copy(update={"audiences": None})
    assert set(audience.recipients_of(silent_one).values()) == {()}
    assert audience.stale(silent_one, silent_one.recipients) == silent_one.objects()
    assert audience.closed_to(silent_one, {fp(IDENTITY)}) == []
    assert audience.closed_to(silent_one, {fp(OTHER_IDENTITY)}) == silent_one.objects()
    first = silent_one.model_copy(update={"previous": ""})
    assert audience.stale(first, first.recipients) == []
    [taken] = audience.taken_over(silent_one, silent_one.objects(), silent_one.recipients)
    assert taken.recipients == ()
    reaches = Reaches(made.repository)
    assert list(reaches.passing([silent_one])) == [silent_one]
    assert reaches.not_known == len(silent_one.objects())


def test_a_chain_that_began_without_saying_it_is_known_again_once_it_is_rekeyed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with estate(tmp_path) as made, monkeypatch.context() as earlier:
        earlier.setattr(segment, "RECORDS_MAX", 6)
        earlier.setattr(run, "taken_over", lambda *_: None)
        lived_in(made)
        assert made.newest.audiences is None
        earlier.undo()
        made.record(user_request(9))
        made.back_up()
        unknown = [name for name, recipients in audience.recipients_of(made.newest).items() if not recipients]
        assert 0 < len(unknown) < len(made.newest.objects())
        endorsement.check_identities(made.newest, [IDENTITY])
        rekey(made)
        assert said(made.newest) == truth(made, made.newest)
        assert made.verify(IDENTITY).records == made.plane.head().position


def test_an_audience_of_what_a_manifest_does_not_name_is_corrupt(made: Estate) -> None:
    recipients = (RecipientEntry(fingerprint=fp(OTHER_IDENTITY), kind="x25519"),)
    own = made.newest.segments[0].sha256
    made.newest.model_copy(update={"audiences": (AudienceEntry(objects=(own,), recipients=recipients),)}).check()
    for objects in ((own, own), ("0" * 64,)):
        entry = AudienceEntry(objects=objects, recipients=recipients)
        with pytest.raises(Corrupt, match="to whom it is sealed"):
            made.newest.model_copy(update={"audiences": (entry,)}).check()
