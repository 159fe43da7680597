"""Pages of records: some thousand of them together with their Merkle leaves, the unit in which logs are read."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from infra.log.merkle import leaf_hash

RECORDS_PER_PAGE = 2_000


class Page(NamedTuple):
    """Consecutive records, at least one, and the hashes of their Merkle leaves."""

    records: Sequence[bytes]
    leaves: Sequence[bytes]


def page_of(records: Sequence[bytes]) -> Page:
    """Return the page of these records."""
    return Page(records, [leaf_hash(record) for record in records])


def paged(records: Iterable[bytes], size: int = RECORDS_PER_PAGE) -> Iterator[Page]:
    """Yield a stream of records in pages."""
    remaining = iter(records)
    while page := list(islice(remaining, size)):
        yield page_of(page)
