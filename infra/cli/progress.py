"""Progress on a terminal: one line on standard error with rate and time left, which goes when the work is done."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING

from projections.progress import Progress, silent

if TYPE_CHECKING:
    from rich import progress as rich_progress

REFRESH_S = 0.1


@contextmanager
def shown(*, as_json: bool) -> Iterator[Progress]:
    """Yield what long work tells how far it is: drawn if standard error is a terminal and no JSON was asked for."""
    if as_json or not sys.stderr.isatty():
        yield silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
        TextColumn("{task.fields[pace]}"),
    )
    # Not refreshed by a thread of its own: a recovery forks, and answers may go to the same terminal.
    with Progress(
        *columns, console=Console(stderr=True), transient=True, auto_refresh=False, redirect_stdout=False
    ) as bar:
        yield _Line(bar)


class _Line:
    """Draws the stage that is under way; each begins when the one before was last heard of."""

    def __init__(self, bar: "rich_progress.Progress") -> None:
        self._bar = bar
        self._what = ""
        self._began = self._heard = monotonic()
        self._drawn = 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        now = monotonic()
        if what != self._what:
            for task in self._bar.task_ids:
                self._bar.remove_task(task)
            self._what, self._began, self._drawn = what, self._heard, 0.0
            self._bar.add_task(what, total=total, pace="")
        self._heard = now
        if done < total and now - self._drawn < REFRESH_S:
            return
        self._drawn = now
        [task] = self._bar.task_ids
        self._bar.update(task, completed=done, total=total, pace=pace(done, total, now - self._began), refresh=True)


def pace(done: int, total: int, seconds: float) -> str:
    """Return the rate and the time left; nothing of work that is one step, or not begun."""
    if total <= 1 or done <= 0 or seconds <= 0:
        return ""
    left = timedelta(seconds=round((total - done) * seconds / done))
    return f"{done / seconds:,.0f}/s, {left} left"
