"""The clock of the host, where commands are prepared and backups are stated; what is recorded has the store's time."""

from collections.abc import Callable
from datetime import UTC, datetime

from domain.instant import from_datetime

Clock = Callable[[], str]


def host_clock() -> str:
    """Return the host's time as an instant."""
    return from_datetime(datetime.now(UTC))
