"""`resurgam record`: commands as JSON Lines, one outcome line each, in their order and as they commit."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from domain.errors import Corrupt, Refused, ResurgamError, Unavailable, Usage
from infra.cli import command_reference, deployment, errors, lines, output, settings
from infra.cli.lines import Line, LinesAhead
from infra.cli.options import As, Json, RootKeyFile, Store, example, group
from infra.control_plane.job import Outcome
from infra.control_plane.plane import ControlPlane
from infra.control_plane.request import Request, parse
from infra.log.record import Actor

REASON_CHARACTERS_MAX = 4096

app = group("Record commands.")

Answer = Outcome | ResurgamError


@app.command(
    epilog=example(
        """echo '{"command":"DisableUser","arguments":{"objectId":"…"},"commandId":"ticket-17"}' | resurgam record""",
        "resurgam record --atomic --reason 'ticket 17' changes.jsonl",
    )
)
def record(
    file: Annotated[
        Path | None, typer.Argument(help="JSON Lines; standard input if not given.", show_default=False)
    ] = None,
    atomic: Annotated[bool, typer.Option("--atomic", help="Record all commands in one transaction, or none.")] = False,
    principal: As = None,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for lines that do not say it themselves.")] = "",
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of every command, and end.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="With --schema: as the reference page.")] = False,
    as_json: Json = False,
    store: Store = None,
    root_key_file: RootKeyFile = None,
) -> None:
    """Record commands, given as JSON Lines, and answer one line each as they commit.

    A line that is refused or malformed gets an error as its outcome and does not stop the others, unless --atomic. The
    exit code is that of the first line that failed. A line with a commandId can be sent again: it is recorded once.
    """
    if schema:
        _print_schema(markdown)
        return
    if len(reason) > REASON_CHARACTERS_MAX:
        raise Usage(f"a reason of {len(reason)} characters: {REASON_CHARACTERS_MAX} at most")
    chosen = settings.load(store=store, root_key_file=root_key_file)
    with deployment.opened(chosen) as plane:
        ahead = lines.lines_ahead(file)
        recording = Recording(plane, deployment.acting(plane, chosen, principal), principal is not None, reason)
        code = recording.record_atomically(ahead) if atomic else recording.record(ahead)
    raise typer.Exit(code)


@dataclass(slots=True)
class Recording:
    """One run: what every request of it shares, and the exit code so far."""

    plane: ControlPlane
    actor: Actor
    is_enforced: bool
    reason: str
    exit_code: int = 0

    def record(self, ahead: LinesAhead) -> int:
        """Record whatever has arrived together, until the end, or until the store fails."""
        while batch := ahead.take():
            answers = self._recorded(list(self._parsed(batch)), is_atomic=False)
            self._write(batch, answers)
            if any(isinstance(answer, Unavailable | Corrupt) for answer in answers):
                output.note(f"stopped after line {batch[-1].number}, because the store failed")
                break
        return self.exit_code

    def record_atomically(self, ahead: LinesAhead) -> int:
        """Record all lines in one transaction; if one is malformed or refused, none is."""
        batch: list[Line] = []
        while arrived := ahead.take():
            batch += arrived
        parsed = list(self._parsed(batch))
        if any(isinstance(request, ResurgamError) for request in parsed):
            other = Refused("not recorded: another line of the same atomic request is malformed", rule="atomic")
            self._write(batch, [request if isinstance(request, ResurgamError) else other for request in parsed])
        else:
            self._write(batch, self._recorded(parsed, is_atomic=True))
        return self.exit_code

    def _parsed(self, batch: Iterable[Line]) -> Iterator[Request | ResurgamError | None]:
        """Yield the request of each line, what is wrong with it, or None if it is blank."""
        for line in batch:
            if not line.data.strip():
                yield None
                continue
            try:
                request = parse(line.data)
            except Usage as error:
                yield error
            else:
                yield replace(request, reason=request.reason or self.reason)

    def _recorded(self, parsed: Sequence[Request | ResurgamError | None], *, is_atomic: bool) -> list[Answer | None]:
        requests = [request for request in parsed if isinstance(request, Request)]
        answers = iter(self.plane.execute_all(requests, self.actor, is_atomic=is_atomic, is_enforced=self.is_enforced))
        return [next(answers) if isinstance(request, Request) else request for request in parsed]

    def _write(self, batch: Sequence[Line], answers: Sequence[Answer | None]) -> None:
        answered = [(line, answer) for line, answer in zip(batch, answers, strict=True) if answer is not None]
        output.write_json_lines({"line": line.number, **_as_json(answer)} for line, answer in answered)
        failures = (errors.exit_code(answer) for _, answer in answered if isinstance(answer, ResurgamError))
        self.exit_code = self.exit_code or next(failures, 0)


def _as_json(answer: Answer) -> dict[str, object]:
    if isinstance(answer, ResurgamError):
        return {"status": "refused" if isinstance(answer, Refused) else "error", "error": errors.as_json(answer)}
    shown: dict[str, object] = {
        "status": answer.status,
        "commandId": answer.command_id,
        "first": answer.first,
        "last": answer.last,
        "recordedAt": answer.recorded_at,
        "resources": list(answer.resources),
    }
    return shown if answer.warning is None else {**shown, "warning": answer.warning}


def _print_schema(markdown: bool) -> None:
    if markdown:
        output.write_text(command_reference.markdown().rstrip("\n"))
    else:
        output.write_json(command_reference.schema())
