"""Durations, as operators write and read them."""

import re

from domain.errors import Usage

DURATION = re.compile(r"([0-9]{1,9})([smhdw])")
SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def parse(text: str, option: str) -> int:
    """Return the seconds of `90s`, `5m`, `13h`, `2d` or `1w`; Usage, naming the option, for anything else."""
    match = DURATION.fullmatch(text)
    if match is None:
        raise Usage(f"{option} {text}: write a number and a unit, such as 90s, 5m, 13h or 2d")
    return int(match[1]) * SECONDS[match[2]]


def shown(seconds: float) -> str:
    """Return a duration in its two greatest units: `45 s`, `3 min 5 s`, `13 h 2 min`, `2 d 4 h`."""
    left = round(seconds)
    parts: list[tuple[int, str]] = []
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, left = divmod(left, length)
        if count or parts:
            parts.append((count, unit))
    return " ".join(f"{count} {unit}" for count, unit in parts[:2] if count) or "0 s"
