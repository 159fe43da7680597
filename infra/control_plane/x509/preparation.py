"""Preparations: what a certificate command's decision cannot make itself, and what making it may use."""

from collections.abc import Callable
from typing import Any, NamedTuple

from domain.resource import World
from domain.sealed_value import SealedValue

OpenSealed = Callable[[SealedValue, str, str], bytes]
"""(sealed value, purpose, id of the resource that holds it) -> plaintext."""


class Preparation(NamedTuple):
    """The facts for the decision, and the plaintexts to be sealed as the command's `sealings` say, by field."""

    facts: dict[str, object]
    secrets: dict[str, bytes]


Preparer = Callable[[Any, World, str, OpenSealed, str], Preparation]
"""(command, world, now, opener, fresh id) -> preparation; the fresh id is the one that `sealings` and the decision get.

It raises what the decision would raise where it can make nothing: a root that does not exist or may not sign.
"""
