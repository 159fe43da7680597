"""What changed in a resource, as people read it: one line for each field."""

from collections.abc import Iterable, Mapping

from infra.cli import output


def write(changes: Iterable[Mapping[str, object]]) -> None:
    """Write what `infra.cli.state.changes` found."""
    for change in changes:
        sides = " -> ".join(
            output.as_text(change[side]) if side in change else "(none)" for side in ("before", "after")
        )
        output.write_text(f"    {change['field']}: {sides}")
