"""The metrics of `backup status --prometheus`: names and meanings are in docs/reference/command-line.md."""

from collections.abc import Iterator, Mapping

Labels = Mapping[str, str]
Sample = tuple[str, str, Labels, float]
"""Name, help, labels, value; samples of one name follow each other."""


def text(samples: list[Sample]) -> str:
    """Return samples in Prometheus's text format, version 0.0.4; all of them are gauges."""
    return "".join(_lines(samples))


def _lines(samples: list[Sample]) -> Iterator[str]:
    before = ""
    for name, help_text, labels, value in samples:
        if name != before:
            yield f"# HELP {name} {help_text}\n# TYPE {name} gauge\n"
            before = name
        shown = ",".join(f'{label}="{_escaped(content)}"' for label, content in labels.items())
        number = int(value) if value == int(value) else value
        yield f"{name}{{{shown}}} {number}\n" if shown else f"{name} {number}\n"


def _escaped(content: str) -> str:
    return content.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
