"""Answers: what the state is asked when it is backed up, and whether a rebuilt one answers the same."""

from collections import Counter
from collections.abc import Iterator

from domain.errors import Corrupt
from infra.backup import answers_file
from infra.backup.answers_file import Answers
from infra.backup.comparison import Measure
from infra.backup.manifest import Manifest
from infra.backup.repository import Repository
from infra.backup.segment import OpenerOf
from infra.canonical_json import encode
from infra.database.session import Session
from infra.log.head import Head
from infra.state.snapshot import Snapshot, drawn
from projections import answers
from projections.answers import ASKS

COUNTS = "counts of kinds"
NAMES = (COUNTS, *(f"{ask} answers" for ask in ASKS))
"""Of the measures; a backup without answers is whole all the same."""


def lines(session: Session, at: Head) -> Iterator[bytes]:
    """Ask the state at the head, and yield the lines of an answers file."""
    state = Snapshot(session, at.position)
    asked = (
        (question, answers.answer(state, question, at.instant))
        for question in answers.questions(state, drawn(session, at.position), at.root)
    )
    yield from answers_file.lines(at.position, at.instant, state.counts(), asked)


def compare(
    session: Session,
    repository: Repository,
    of: Manifest,
    opener_of: OpenerOf,
    position: int,
    *,
    accept_damage: bool = False,
) -> list[Measure]:
    """Return how a state rebuilt up to `position` answers; Corrupt if it answers anything otherwise.

    A backup without answers has nothing to compare. Whoever accepts damage is not kept from a state by answers that
    cannot be read.
    """
    entry = of.answers
    if entry is None:
        return []
    if position < entry.position:
        return _not_made(f"they are of position {entry.position}")
    try:
        stored = answers_file.read(repository, of.deployment, entry, opener_of)
    except Corrupt as error:
        if not accept_damage:
            raise Corrupt(f"{error}; the records are whole: --accept-damage goes on without the answers") from error
        return _not_made(str(error))
    return _compare(Snapshot(session, stored.position), stored)


def _not_made(reason: str) -> list[Measure]:
    return [Measure(name, "", "", f"not made: {reason}") for name in NAMES]


def _compare(state: Snapshot, stored: Answers) -> list[Measure]:
    counts = state.counts()
    for kind in sorted({*counts, *stored.counts}):
        if counts.get(kind, 0) != stored.counts.get(kind, 0):
            raise Corrupt(
                f"the rebuilt state holds {counts.get(kind, 0)} of kind {kind} at position {stored.position}, the "
                f"backup says {stored.counts.get(kind, 0)}: it is not what was backed up"
            )
    equal, unknown = Counter[str](), Counter[str]()
    for question, answer in stored.asked:
        ask = question["ask"]
        if ask not in ASKS:
            unknown[ask] += 1
            continue
        found = answers.answer(state, question, stored.asked_at)
        if found != answer:
            raise Corrupt(
                f"the rebuilt state answers {_text(found)} to {_text(question)}, and answered {_text(answer)} when it "
                "was backed up: it does not hold those to whom it applied under the same constraints"
            )
        equal[ask] += 1
    kinds = str(len(stored.counts))
    return [
        Measure(COUNTS, kinds, kinds, "equal"),
        *(Measure(f"{ask} answers", str(equal[ask]), str(equal[ask]), "equal") for ask in ASKS),
        *(
            Measure(f"{ask} answers", str(count), "", "not made: this release does not know the question")
            for ask, count in sorted(unknown.items())
        ),
    ]


def _text(value: object) -> str:
    return encode(value).decode()
