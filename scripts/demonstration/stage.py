"""The stage: clouds in folders of their own, and every step upon them as the command that an operator would type."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROGRAM = Path(os.environ.get("RESURGAM_DEMO_ENVIRONMENT", sys.prefix), "bin", "resurgam")
SHOWN_CHARACTERS_MAX = 48


class StepFailed(Exception):
    """A command of the story did not end as the story needs; the exit code is the command's."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command answered."""

    exit_code: int
    output: str
    errors: str
    seconds: float

    @property
    def json(self) -> Any:
        """The answer of a command that was asked for JSON."""
        return json.loads(self.output)

    @property
    def reason(self) -> str:
        """Why it failed, in words."""
        text = self.errors.strip()
        return str(json.loads(text)["error"]["message"]) if text.startswith("{") else text

    @property
    def lines(self) -> list[Any]:
        """The answer of a command that writes JSON Lines."""
        return [json.loads(line) for line in self.output.splitlines()]


@dataclass
class Cloud:
    """A working folder with a store that `resurgam` works on, in an environment that holds nothing but a PATH."""

    folder: Path
    store: str
    flags: Sequence[str] = field(default_factory=list)

    def settle(self, repository: str) -> None:
        """Write the settings, as an operator does once."""
        self.folder.mkdir(exist_ok=True)
        settings = f"store = {json.dumps(self.store)}\nrepository = {json.dumps(repository)}\n"
        (self.folder / "resurgam.toml").write_text(settings, "utf-8")

    def ask(self, *arguments: str, given: str = "") -> Answer:
        """Run a command and return what it answered, whatever that is."""
        begin = time.monotonic()
        done = subprocess.run(  # noqa: S603, our own program
            [str(PROGRAM), *arguments],
            cwd=self.folder,
            env={"PATH": str(PROGRAM.parent)},
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr, time.monotonic() - begin)

    def step(self, *arguments: str, given: str = "", prefix: str = "") -> Answer:
        """Show a command and run it; raise StepFailed if it fails."""
        shown = " ".join(map(_shortened, (a.replace(str(self.folder.parent), "/…") for a in arguments)))
        print(f"\n{self.folder.name}$ {prefix}resurgam {shown}", flush=True)
        answer = self.ask(*arguments, given=given)
        if answer.exit_code:
            raise StepFailed(answer.reason or answer.output.strip(), answer.exit_code)
        return answer


def say(text: str, answer: Answer | None = None) -> None:
    """Say what came of a step, and how long it took."""
    print(f"  {text}" + (f"  ({answer.seconds:.1f} s)" if answer else ""), flush=True)


def chapter(title: str) -> None:
    """Begin a part of the story."""
    print(f"\n=== {title}", flush=True)


def _shortened(argument: str) -> str:
    kept = SHOWN_CHARACTERS_MAX // 2
    if len(argument) > SHOWN_CHARACTERS_MAX:
        argument = f"{argument[:kept]}…{argument[-kept:]}"
    return f"'{argument}'" if " " in argument or "{" in argument else argument
