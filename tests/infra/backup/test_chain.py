"""The chain under attack: what each manipulation is called by a run, by a verified backup, by verify and by recover."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from domain.errors import Corrupt, Refused, ResurgamError
from infra.backup import choice, holes, manifest, memory, verification
from infra.backup.manifest import Manifest
from infra.backup.repository import Repository
from infra.backup.stores.directory import DirectoryStore
from infra.control_plane import verified_backup
from infra.control_plane.clock import host_clock
from infra.keys.signer import Signer
from tests.backup_estate import Estate, estate, lived_in
from tests.infra.control_plane.installation import ROOT_KEY, user_request

GOES_ON = ""
"""The run makes a backup that says all that is lost or void before it."""


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Estate]:
    """Manifests 1 to 4 in `repository`; `earlier` is the repository as it was after the third."""
    with estate(tmp_path) as one:
        lived_in(one)
        shutil.copytree(one.root, tmp_path / "earlier")
        one.record(user_request(10), user_request(11))
        one.back_up()
        yield one


def at(made: Estate, number: int) -> Path:
    return made.root / made.deployment / "manifests" / f"{number:019d}.json"


def of(made: Estate, number: int) -> Manifest:
    return made.repository.read(at(made, number).relative_to(made.root).as_posix()).manifest


def signer_of(made: Estate) -> Signer:
    with made.database.read() as session:
        return memory.get_signer(session, ROOT_KEY)


def signed(made: Estate, forged: Manifest) -> None:
    """Put a manifest as only the deployment's own signer could have made it."""
    at(made, forged.sequence).write_bytes(manifest.sign(forged, signer_of(made)))


def remove_one(made: Estate) -> None:
    at(made, 2).unlink()


def remove_the_first(made: Estate) -> None:
    at(made, 1).unlink()


def remove_the_newest(made: Estate) -> None:
    at(made, 4).unlink()


def roll_back_everything(made: Estate) -> None:
    shutil.rmtree(made.root)
    shutil.copytree(made.folder / "earlier", made.root)


def replay_the_first(made: Estate) -> None:
    shutil.copy2(at(made, 1), at(made, 5))


def replay_the_first_as_the_newest(made: Estate) -> None:
    shutil.copy2(at(made, 1), at(made, 4))


def swap_two(made: Estate) -> None:
    second, third = at(made, 2).read_bytes(), at(made, 3).read_bytes()
    at(made, 2).write_bytes(third)
    at(made, 3).write_bytes(second)


def swap_the_newest_two(made: Estate) -> None:
    third, newest = at(made, 3).read_bytes(), at(made, 4).read_bytes()
    at(made, 3).write_bytes(newest)
    at(made, 4).write_bytes(third)


def splice_from_another_deployment(made: Estate) -> None:
    folder = made.folder / "other"
    folder.mkdir()
    with estate(folder) as other:
        lived_in(other)
        other.back_up()
        newest = sorted((other.root / other.deployment / "manifests").iterdir())[-1]
        shutil.copy2(newest, at(made, 5))


def splice_from_another_repository(made: Estate) -> None:
    """The deployment's own manifest 5, of another repository that it fills too."""
    folder = made.folder / "second"
    elsewhere = Estate(folder, made.database, made.plane)
    folder.mkdir()
    for number in range(20, 25):
        made.record(user_request(number))
        elsewhere.back_up()
    shutil.copy2(folder / "repository" / made.deployment / "manifests" / at(made, 5).name, at(made, 5))


def leave_records_out(made: Estate) -> None:
    found = of(made, 4)
    shortened = (found.segments[0].model_copy(update={"first": 3}), *found.segments[1:])
    signed(made, found.model_copy(update={"sequence": 5, "segments": shortened}))


def overlap_two_segments(made: Estate) -> None:
    found = of(made, 4)
    last = found.segments[-1]
    overlapping = (*found.segments[:-1], last.model_copy(update={"first": last.first - 1}))
    signed(made, found.model_copy(update={"sequence": 5, "segments": overlapping}))


def follow_another(made: Estate) -> None:
    """A fork: the fifth, by the same signer, follows the third."""
    signed(made, of(made, 4).model_copy(update={"sequence": 5, "previous": made.outcomes[2].sha256}))


def replace_the_newest(made: Estate) -> None:
    """A fork: another fourth, by the same signer, as a copy of the deployment would make it."""
    signed(made, of(made, 4).model_copy(update={"created_at": "2026-01-01T00:00:00.000000Z"}))


def cover_less(made: Estate) -> None:
    forged = of(made, 3).model_copy(update={"sequence": 5, "previous": made.outcomes[3].sha256})
    signed(made, forged)


@dataclass(frozen=True, slots=True)
class Attack:
    """What is done, and what is said of it: by verify, by a run, and by a verified backup where that says more.

    A run `heals` what lies behind the newest manifest; what lies before it verify goes on to name.
    """

    act: Callable[[Estate], None]
    verify: str
    run: str
    verified: str = ""
    heals: bool = True


ATTACKS = [
    Attack(remove_one, "3.json does not follow .*1.json", GOES_ON, "3.json does not follow .*1.json", heals=False),
    Attack(
        remove_the_first,
        "is the oldest manifest here, but not",
        GOES_ON,
        "is the oldest manifest here, but not",
        heals=False,
    ),
    Attack(remove_the_newest, GOES_ON, "went backwards: this deployment wrote manifest 4 .* the newest there is 3"),
    Attack(roll_back_everything, GOES_ON, "went backwards: this deployment wrote manifest 4 .* the newest there is 3"),
    Attack(replay_the_first, "5.json is the manifest .*1.json: it was moved", GOES_ON),
    Attack(replay_the_first_as_the_newest, "4.json is the manifest .*1.json: it was moved", GOES_ON),
    Attack(swap_two, "2.json is the manifest .*3.json: it was moved", GOES_ON, heals=False),
    Attack(swap_the_newest_two, "3.json is the manifest .*4.json: it was moved", GOES_ON),
    Attack(splice_from_another_deployment, "5.json is the manifest .*: it was moved", GOES_ON),
    Attack(splice_from_another_repository, "belongs to repository .*: it was copied", "belongs to repository"),
    Attack(leave_records_out, "5.json jumps from position 0 to segment 3", "jumps from position 0 to segment 3"),
    Attack(overlap_two_segments, "5.json jumps from position", "jumps from position"),
    Attack(follow_another, "5.json does not follow .*4.json", "5.json does not follow"),
    Attack(replace_the_newest, GOES_ON, "holds another manifest 4 .* than this deployment wrote"),
    Attack(cover_less, "5.json covers less than .*4.json", "5.json covers less than"),
]


def said_by(action: Callable[[], object]) -> str:
    try:
        action()
    except (Corrupt, Refused) as error:
        return str(error)
    return GOES_ON


def check(said: str, expected: str) -> None:
    if expected == GOES_ON:
        assert said == GOES_ON
    else:
        with pytest.raises(ResurgamError, match=expected):
            raise Corrupt(said)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.act.__name__)
def test_a_manipulation_is_named_by_verify_and_by_recover(made: Estate, attack: Attack) -> None:
    attack.act(made)
    opened = Repository.open(DirectoryStore(made.root))
    check(said_by(lambda: verification.verify(opened, made.deployment, None)), attack.verify)
    check(said_by(lambda: choice.choose(opened, made.deployment)), attack.verify)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.act.__name__)
def test_a_manipulation_is_named_at_the_next_backup_or_voided(made: Estate, attack: Attack) -> None:
    attack.act(made)
    made.record(user_request(30))
    before = {path: path.read_bytes() for path in made.files()}
    said = said_by(made.back_up)
    check(said, attack.run)
    after = {path: path.read_bytes() for path in made.files()}
    assert before.items() <= after.items()
    if attack.run != GOES_ON:
        assert before == after, "what refuses writes nothing"
        return
    opened = Repository.open(DirectoryStore(made.root))
    still = GOES_ON if attack.heals else attack.verify
    check(said_by(lambda: verification.verify(opened, made.deployment, None)), still)


@pytest.mark.parametrize("attack", [one for one in ATTACKS if one.verified], ids=lambda attack: attack.act.__name__)
def test_what_a_run_passes_over_no_backup_is_verified_with(made: Estate, attack: Attack) -> None:
    attack.act(made)
    check(said_by(lambda: verified_backup.make(made.database, ROOT_KEY, made.repository, host_clock)), attack.verified)
    assert not (made.root / made.deployment / "attestations").exists()


def test_a_number_that_garbage_took_is_no_hole(made: Estate) -> None:
    at(made, 9).write_bytes(b"garbage")
    assert made.back_up().manifest.sequence == 10
    holes.check(made.repository, made.newest)
    at(made, 9).unlink()
    holes.check(made.repository, made.newest)
    at(made, 3).unlink()
    with pytest.raises(Corrupt, match=r"does not follow .*2.json"):
        holes.check(made.repository, made.newest)


class Unread(DirectoryStore):
    """A directory whose manifests nobody reads."""

    def get(self, name: str, *, start: int = 0, length: int | None = None) -> bytes:
        assert "/manifests/" not in name
        return super().get(name, start=start, length=length)


def test_a_chain_without_holes_is_not_read(made: Estate) -> None:
    holes.check(Repository.open(Unread(made.root)), made.newest)
