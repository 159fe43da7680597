"""The history: records of a private cloud of any size, always the same for the same seed.

About 720 bytes a record, since ids and envelope of the shortest take 500 already. The ids, digests and ciphertexts in
it are as random as real ones, so that zstd makes a fifth to a quarter of it. A tenth of the events are new versions of
secrets, whose values are really sealed.
"""

from collections.abc import Iterator

from infra.keys.sealing import DataKey
from scripts.benchmark.cloud.access import Access
from scripts.benchmark.cloud.certificates import Certificates
from scripts.benchmark.cloud.identity import Identity
from scripts.benchmark.cloud.installation import Installation
from scripts.benchmark.cloud.scribe import Scribe
from scripts.benchmark.cloud.tenancy import Tenancy
from scripts.benchmark.cloud.vaults import Vaults

ACTIONS_PER_PAGE = 1_000
EVENTS_MAX = 4
"""No action makes more of them."""


class History:
    """A cloud from its installation on; `records` goes on from where it was."""

    def __init__(self, seed: int = 1) -> None:
        self._scribe = Scribe(seed)
        self.installation = Installation(self._scribe)
        identity = Identity(self._scribe, self.installation)
        certificates = Certificates(self._scribe)
        tenancy = Tenancy(self._scribe, self.installation, identity)
        vaults = Vaults(self._scribe, self.installation, identity, tenancy)
        access = Access(self._scribe, self.installation, identity, tenancy)
        areas = (self.installation, identity, certificates, tenancy, vaults, access)
        weighted = [action for area in areas for action in area.actions]
        self._weights = [weight for weight, _ in weighted]
        self._actions = [action for _, action in weighted]

    def records(self, count: int) -> Iterator[bytes]:
        """Yield exactly so many of the next records; they end with a command.

        The first hundred or two are the installation and something of everything: fewer are not to be had.
        """
        scribe = self._scribe
        end = scribe.position - len(scribe.records) + count
        if scribe.position > end:
            raise ValueError(f"a history begins with {scribe.position} records, of which {count} were asked for")
        while True:
            page, scribe.records = scribe.records, []
            yield from page
            if not (left := end - scribe.position):
                return
            actions = scribe.random.choices(self._actions, self._weights, k=min(ACTIONS_PER_PAGE, left // EVENTS_MAX))
            for action in actions or [self.installation.change_provider] * left:
                action()

    def data_keys(self) -> Iterator[tuple[DataKey, int, int]]:
        """Yield the data keys of the records so far, each with the positions that added and shredded it (0: live)."""
        for key_id, key in self._scribe.keys.items():
            yield DataKey(key_id, key.secret), key.added_at, key.shredded_at


def records(count: int, seed: int = 1) -> Iterator[bytes]:
    """Yield the records of a history of that length."""
    return History(seed).records(count)


def data_keys(count: int, seed: int = 1) -> Iterator[tuple[DataKey, int, int]]:
    """Yield the data keys of the same history; see History.data_keys."""
    history = History(seed)
    for _ in history.records(count):
        pass
    return history.data_keys()
