"""Proofs: what was expected beside what was recovered, as a table."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

COLUMNS = ("proof", "expected", "recovered", "")


@dataclass(frozen=True, slots=True)
class Proof:
    """One line of the table."""

    name: str
    expected: str
    recovered: str

    @property
    def is_true(self) -> bool:
        """Whether what was recovered is what was expected."""
        return self.expected == self.recovered


def compared(expected: Mapping[str, str], recovered: Mapping[str, str]) -> list[Proof]:
    """Return a proof of every fact on either side."""
    names = [*expected, *(name for name in recovered if name not in expected)]
    return [Proof(name, expected.get(name, "(nothing)"), recovered.get(name, "(nothing)")) for name in names]


def show(proofs: Iterable[Proof]) -> None:
    """Write the table."""
    rows = [COLUMNS, *((p.name, p.expected, p.recovered, "ok" if p.is_true else "NOT EQUAL") for p in proofs)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    for row in rows:
        print("  " + "  ".join(map(str.ljust, row, widths)).rstrip(), flush=True)
