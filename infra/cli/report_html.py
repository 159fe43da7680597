"""The report of a recovery or a drill as one HTML page: nothing in it is loaded, run, or sent anywhere."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from infra.cli import output
from infra.cli.report import Section, sections

ROWS_MAX = 40
"""Of each table; the JSON form has more."""

PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
body {{ font: 10pt/1.35 sans-serif; margin: 1.5em auto; max-width: 60em; color: #111; background: #fff; }}
h1 {{ font-size: 14pt; margin: 0 0 .3em; }}
h2 {{ font-size: 10.5pt; margin: 1em 0 .2em; border-bottom: 1px solid #999; break-after: avoid; }}
p {{ margin: .2em 0; overflow-wrap: anywhere; white-space: pre-wrap; }}
table {{ border-collapse: collapse; width: 100%; font-size: 9pt; }}
th, td {{ text-align: left; vertical-align: top; padding: .1em .8em .1em 0; overflow-wrap: anywhere; }}
tr {{ break-inside: avoid; border-bottom: 1px dotted #ccc; }}
@page {{ size: A4; margin: 12mm; }}
@media print {{ body {{ margin: 0; max-width: none; font-size: 8.5pt; }} table {{ font-size: 8pt; }} }}
</style>
</head>
<body>
<h1>{title}</h1>
{parts}
</body>
</html>
"""


def html(answer: Mapping[str, Any]) -> str:
    """Return the page."""
    what = "Recovery" if "next" in answer else "Drill"
    title = f"{what} of deployment {answer['plan']['deployment']}"
    return PAGE.format(title=_text(title), parts="\n".join(map(_section, sections(answer))))


def _section(section: Section) -> str:
    parts = [f"<h2>{_text(section.title)}</h2>"]
    if section.rows:
        parts.append(_table(section.columns, section.rows[:ROWS_MAX]))
    if len(section.rows) > ROWS_MAX:
        parts.append(f"<p>… and {len(section.rows) - ROWS_MAX} more: the report in JSON has them</p>")
    parts += [f"<p>{_text(line)}</p>" for line in section.text]
    return "\n".join(parts)


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [_row("th", columns), *(_row("td", row) for row in rows)]
    return "<table>\n" + "\n".join(lines) + "\n</table>"


def _row(tag: str, cells: Sequence[object]) -> str:
    return "<tr>" + "".join(f"<{tag}>{_text(cell)}</{tag}>" for cell in cells) + "</tr>"


def _text(value: object) -> str:
    return "" if value is None else escape(output.visible(output.as_text(value)))
