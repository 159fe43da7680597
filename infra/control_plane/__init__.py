"""The composition root and the one way in: execute a command, read at a position."""
