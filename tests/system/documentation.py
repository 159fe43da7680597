"""Documentation that runs: the shell commands of a Markdown page, in their order, in one shell and one folder.

What a page may hold:

- a `sh` block is a script, each command of which must succeed
- in a `console` block a line that begins with `$ ` is a command, which must succeed unless it ends with `# exit N`; the
  lines below it must appear in its output in this order, with anything where they say `…`
- `<!-- not run: REASON -->` before a block leaves it out
- `<!-- setup: COMMANDS -->` is run like a `sh` block, and not shown to readers
- `<!-- place: s3 -->`, `azure` or `smb` gives the environment a server of that kind, with its address as `FILE_SERVER`
- `<!-- needs: PROGRAM … -->` names what else must be installed for the page
- `<!-- other pages begin here -->` in the tutorial: every other page begins with the folder as it is there
"""

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[2]
SHELLS = ("sh", "console")
BEGINNING = "<!-- other pages begin here -->"
TIMEOUT_S = 120

_ITEM = re.compile(
    r"<!-- (?P<name>not run|setup):\s(?P<comment>.*?)\s?-->"
    r"|^(?P<indent> *)```(?P<language>\S*)\n(?P<text>.*?)^(?P=indent)```$",
    re.DOTALL | re.MULTILINE,
)
_NEEDS = re.compile(r"<!-- needs: (?P<programs>.*?) -->")
_FENCED = re.compile(r"^ *```.*?^ *```$", re.DOTALL | re.MULTILINE)
_EXIT = re.compile(r" +# exit (?P<code>\d+)$")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block; `not_run` is the reason for which it is left out, if it is."""

    line: int
    language: str
    text: str
    not_run: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What the shell is given at once, and what must come of it."""

    line: int
    script: str
    code: int = 0
    output: tuple[str, ...] = ()


def pages() -> list[Path]:
    """Every page, relative to the project's root."""
    found = [ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/**/*.md")]
    return sorted(path.relative_to(ROOT) for path in found)


def text_of(page: Path) -> str:
    return (ROOT / page).read_text("utf-8")


def blocks(text: str) -> Iterator[Block]:
    """All fenced blocks of a page, and its set-ups as blocks of the language `sh`."""
    reason: str | None = None
    for item in _ITEM.finditer(text):
        line = text.count("\n", 0, item.start()) + 1
        if item["name"] == "not run":
            reason = item["comment"]
        elif item["name"] == "setup":
            yield Block(line, "sh", item["comment"])
        else:
            yield Block(line, item["language"], dedent(item["text"]), reason)
            reason = None


def needs(text: str) -> list[str]:
    """The programs that a page needs beside Resurgam and what every system has."""
    return [program for match in _NEEDS.finditer(text) for program in match["programs"].split()]


def anchors(text: str) -> set[str]:
    """The names by which links reach the headings of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", _FENCED.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(text: str) -> list[str]:
    """The targets of all links of a page."""
    return re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]+`", "", _FENCED.sub("", text)))


def steps(text: str) -> list[Step]:
    """What a page tells its reader to run."""
    return [step for block in blocks(text) if block.not_run is None for step in _steps(block)]


def _steps(block: Block) -> Iterator[Step]:
    if block.language == "sh":
        yield Step(block.line, f"set -e\n{block.text}\nset +e")
    if block.language == "console":
        shown = block.text.splitlines()
        begins = [index for index, line in enumerate(shown) if line.startswith("$ ")]
        assert begins[:1] == [0], f"line {block.line}: a console block begins with a command"
        for begin, end in zip(begins, [*begins[1:], len(shown)], strict=True):
            yield _command(block.line + 1 + begin, shown[begin:end])


def _command(line: int, shown: list[str]) -> Step:
    length = next(index for index, text in enumerate(shown, 1) if not text.endswith("\\"))
    command = "\n".join(shown[:length]).removeprefix("$ ")
    exit_code = _EXIT.search(command)
    return Step(line, command, int(exit_code["code"]) if exit_code else 0, tuple(shown[length:]))


def run(given: list[Step], folder: Path, environment: Mapping[str, str], results: Path) -> list[str]:
    """Run steps in one shell that starts in a folder; returns what went otherwise than the page says."""
    results.mkdir()
    script = "".join(
        f"{{\n{step.script}\n}} >{results}/{number} 2>&1 </dev/null\necho $? >{results}/{number}.code\n"
        for number, step in enumerate(given)
    )
    command = ["bash", "--noprofile", "--norc", "-c", script]
    shell = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    differences = (_difference(step, results / str(number)) for number, step in enumerate(given))
    return [found for found in (*differences, shell.stderr) if found]


def _difference(step: Step, result: Path) -> str | None:
    code_file = result.with_suffix(".code")
    output = result.read_text("utf-8", "replace") if result.exists() else ""
    told = f"line {step.line}: {step.script}\n{output}"
    if not code_file.exists():
        return f"the page's shell ended here, or before\n{told}"
    code = int(code_file.read_text())
    if code != step.code:
        return f"exit code {code}, not {step.code}\n{told}"
    begin = 0
    for line in step.output:
        match = _pattern(line).search(output, begin)
        if match is None:
            return f"not in the output: {line}\n{told}"
        begin = match.end()
    return None


def _pattern(line: str) -> re.Pattern[str]:
    """Match a shown line: `…` is anything on the line, and any space as good as another."""
    parts = (r"\s+".join(map(re.escape, re.split(r"\s+", part))) for part in line.split("…"))
    return re.compile(".*?".join(parts))
