"""States as the command line shows them; see projections.shown."""

from projections.shown import changes, fields, shown

__all__ = ["changes", "fields", "shown"]
