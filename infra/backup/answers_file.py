"""Answers files: what the state answered when it was backed up, sealed to the recipients (docs/reference/backup.md)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from domain.errors import Corrupt
from infra.backup import lines_file
from infra.backup.lines_file import Opener
from infra.backup.manifest import AnswersEntry
from infra.backup.repository import Repository
from infra.backup.segment import OpenerOf
from infra.canonical_json import decode_canonical, encode

FORMAT = 1

Asked = tuple[Mapping[str, str], Any]
"""A question and its answer, both plain JSON; `ask` in the question names its kind."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What was asked of the state at `position`, as of the instant `asked_at`, and what it answered."""

    position: int
    asked_at: str
    counts: Mapping[str, int]
    asked: tuple[Asked, ...]


def lines(position: int, asked_at: str, counts: Mapping[str, int], asked: Iterable[Asked]) -> Iterator[bytes]:
    """Yield the lines of an answers file."""
    yield encode({"asked_at": asked_at, "counts": counts, "format": FORMAT, "position": position})
    for question, answer in asked:
        yield encode({**question, "answer": answer})


def read(repository: Repository, deployment: str, entry: AnswersEntry, opener_of: OpenerOf) -> Answers:
    """Return the answers that a manifest names; Corrupt unless they are as it says."""
    return parse(repository.get_object(deployment, entry), opener_of(entry.sha256), entry)


def parse(data: bytes, opener: Opener, entry: AnswersEntry) -> Answers:
    """Return the answers of a file whose SHA-256 was compared; Corrupt unless it is as its manifest says."""
    name = f"answers {entry.sequence} of position {entry.position}"
    content = lines_file.read(data, opener, name)
    head = decode_canonical(next(content, b""), name)
    if not isinstance(head, dict) or (head.get("format"), head.get("position")) != (FORMAT, entry.position):
        raise Corrupt(f"{name} are not the answers that their manifest says")
    asked = []
    for line in content:
        question = decode_canonical(line, name)
        if not isinstance(question, dict) or "ask" not in question or "answer" not in question:
            raise Corrupt(f"{name} hold a line that is no answer")
        answer = question.pop("answer")
        asked.append((question, answer))
    if len(asked) != entry.answers:
        raise Corrupt(f"{name} hold {len(asked)} answers, not {entry.answers}")
    try:
        return Answers(entry.position, str(head["asked_at"]), dict(head["counts"]), tuple(asked))
    except (KeyError, TypeError, ValueError):
        raise Corrupt(f"{name} do not say what was counted, or when") from None
