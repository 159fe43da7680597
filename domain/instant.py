"""Instants as text, `2026-11-22T15:04:05.123456Z`: UTC with six digits of microseconds, so that they sort by time."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator

from domain.errors import Usage

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def from_datetime(moment: datetime) -> str:
    """Return the canonical text of an aware datetime."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def to_datetime(instant: str) -> datetime:
    """Return the datetime of a canonical or an ISO 8601 text with an offset."""
    try:
        moment = datetime.fromisoformat(instant)
    except ValueError:
        raise Usage(f"{instant!r} is not an instant: write it like 2026-11-22T15:04:05Z") from None
    if moment.tzinfo is None:
        raise Usage(f"instant {instant!r} has no zone: add Z or an offset like +01:00")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise Usage(f"instant {instant!r} lies outside of the years 1 to 9999") from None


def is_canonical(text: str) -> bool:
    """Whether a text is an instant, and written as all instants are."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return False
    return text[-1] == "Z" and moment.isoformat(timespec="microseconds") == f"{text[:-1]}+00:00"


def canonical(instant: str) -> str:
    """Return the canonical text of any ISO 8601 text with an offset."""
    return from_datetime(to_datetime(instant))


def from_microseconds(microseconds: int) -> str:
    """Return the instant that many microseconds after 1970-01-01T00:00:00Z."""
    return from_datetime(EPOCH + timedelta(microseconds=microseconds))


def to_microseconds(instant: str) -> int:
    """Return the microseconds since 1970-01-01T00:00:00Z."""
    since = to_datetime(instant) - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def to_seconds(instant: str) -> int:
    """Return the whole seconds since 1970, the unit of Key Vault's attributes."""
    return to_microseconds(instant) // 1_000_000


def plus_days(instant: str, days: int) -> str:
    """Return the instant that many times 24 hours later; Usage if that is after the year 9999."""
    try:
        return from_datetime(to_datetime(instant) + timedelta(days=days))
    except OverflowError:
        raise Usage(f"{days} days after {instant} lie outside of the years 1 to 9999") from None


def _checked(text: str) -> str:
    try:
        return canonical(text)
    except Usage as error:
        raise ValueError(str(error)) from None


Instant = Annotated[str, AfterValidator(_checked)]
"""A command's field that holds an instant; any ISO 8601 text with an offset is accepted and made canonical."""
