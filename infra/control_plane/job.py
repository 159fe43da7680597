"""Jobs: commands that wait for the writer, and what became of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.errors import Conflict, Refused, ResurgamError
from infra.control_plane.preparing import Preparation
from infra.control_plane.request import Request
from infra.log.record import Actor, Cause


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a command: `recorded`, `unchanged` (it changed nothing) or `repeated` (it was recorded before).

    `first` and `last` are the positions of its events, 0 if there are none; `resources` the ids that they changed.
    """

    status: str
    command_id: str
    first: int = 0
    last: int = 0
    recorded_at: str = ""
    resources: tuple[str, ...] = ()
    warning: str | None = None


@dataclass(slots=True)
class Item:
    """A command that waits: its request, who sent it, and what was prepared for it.

    If `is_enforced`, the roles of the actor's principal decide whether it may; else the principal is only recorded.
    """

    request: Request
    actor: Actor
    preparation: Preparation
    command_id: str
    digest: str
    is_enforced: bool = False
    outcome: Outcome | ResurgamError | None = None

    def cause(self) -> Cause:
        """Return what each of the command's events says of it."""
        request = self.request
        return Cause(
            command_id=self.command_id,
            command_name=type(request.command).__name__,
            command_sha256=self.digest,
            actor=self.actor,
            reason=request.reason,
            correlation=request.correlation,
            causation=request.causation,
            effective_at=request.effective_at,
        )

    def check_same(self, digest: str) -> None:
        """Raise Conflict unless the command that used this id before was the same."""
        if digest != self.digest:
            raise Conflict(f"command id {self.command_id} was used for another command: give this one an id of its own")


@dataclass(slots=True)
class Job:
    """Items that are recorded in one transaction; if `is_atomic`, all of them or none."""

    items: Sequence[Item]
    is_atomic: bool = False
    error: BaseException | None = None

    def begin(self) -> None:
        """Forget what an earlier attempt answered: it was rolled back."""
        for item in self.items:
            item.outcome = None

    def fail(self, error: Exception) -> None:
        """Note that the job's transaction failed: because an item was refused, or else by an error of the whole job."""
        if any(isinstance(item.outcome, ResurgamError) for item in self.items):
            self._refuse_others()
        elif isinstance(error, ResurgamError):
            for item in self.items:
                item.outcome = error
        else:
            self.error = error

    def _refuse_others(self) -> None:
        """Refuse every item that has no refusal of its own."""
        for item in self.items:
            if not isinstance(item.outcome, ResurgamError):
                item.outcome = Refused(
                    "not recorded: another command of the same atomic request was refused", rule="atomic"
                )
