"""The inventory of what survived a catastrophe: JSON Lines, specified in docs/reference/survivors.md."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel, Field, ValidationError

from domain import resource_id
from domain.control_plane import KINDS
from domain.errors import Corrupt, Usage
from infra.canonical_json import decode
from infra.cli import file
from infra.control_plane.request import LINE
from projections.survivors import Inventory, Survivor

BYTES_MAX = 256 * 1024 * 1024

Survivors = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="An inventory of what survived, to hold the state against.", show_default=False),
]
Text = Annotated[str, Field(min_length=1, max_length=4096)]


class Line(BaseModel):
    """One line: the kinds that are listed completely, or one thing that survived."""

    model_config = LINE

    kinds: list[Text] | None = None
    id: Text | None = None
    kind: Text | None = None
    external_id: Text | None = None
    fields: dict[str, Any] = Field(default_factory=dict)


def read(path: Path) -> Inventory:
    """Return the inventory of a file; Usage, naming the line, for one that says nothing that can be compared."""
    survivors, complete = list[Survivor](), set[str]()
    for number, text in enumerate(file.read(path, BYTES_MAX).split(b"\n"), 1):
        if not text.strip():
            continue
        line = _line(text, f"{path}, line {number}")
        if line.kinds is not None:
            complete.update(line.kinds)
        else:
            survivor = Survivor(number, line.id or "", line.kind or "", line.external_id or "", line.fields)
            survivors.append(survivor)
    return Inventory(survivors, frozenset(complete))


def _line(text: bytes, place: str) -> Line:
    try:
        value = decode(text, place)
        line = Line.model_validate(value if isinstance(value, Mapping) else {})
        if line.id is not None:
            resource_id.check(line.id)
    except (Corrupt, Usage) as error:
        raise Usage(f"{place}: {error}") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise Usage(f"{place}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    given = line.model_fields_set
    is_one = "kinds" not in given and ("id" in given) != ("external_id" in given)
    if not (given == {"kinds"} or (is_one and ("external_id" not in given or "kind" in given))):
        raise Usage(f'{place}: give "id", or "kind" and "externalId", or "kinds" alone')
    for kind in (*(line.kinds or ()), *([line.kind] if line.kind else ())):
        if kind not in KINDS:
            raise Usage(f"{place}: there is no kind {kind!r}: choose from {', '.join(KINDS)}")
    return line
