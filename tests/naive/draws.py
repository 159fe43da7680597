"""Draws: how the values of random commands are chosen, each a function of chance."""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from tests.naive.model import Model
from tests.naive.world import Json


class Chance(Random):
    """Chance that sees what exists, so that it finds it."""

    def __init__(self, seed: int, model: Model) -> None:
        super().__init__(seed)
        self.model = model

    def existing(self, kinds: Sequence[str], pool: Sequence[str]) -> str:
        """Draw the id of a resource that exists, or now and then any of the pool."""
        ids = [resource["id"] for kind in kinds for resource in self.model.world.all(kind)]
        return str(self.choice(ids if ids and self.random() < 0.9 else pool))


Draw = Callable[[Chance], Any]
"""Draws a value."""


def one_of(values: Sequence[Any]) -> Draw:
    """Draw one of the values."""
    return lambda chance: chance.choice(values)


def spelled(texts: Sequence[str], *kinds: str) -> Draw:
    """Draw one of the texts, or rather the id of an existing resource of these kinds, now and then in another case."""

    def drawn(chance: Chance) -> str:
        text = chance.existing(kinds, texts)
        return text.upper() if chance.random() < 0.1 else text

    return drawn


def some(draw: Draw, most: int = 3, *, least: int = 0) -> Draw:
    """Draw a list of a few."""
    return lambda chance: [draw(chance) for _ in range(chance.randint(least, most))]


def record(required: Mapping[str, Draw], **optional: Draw) -> Draw:
    """Draw an object with all of the required members and some of the optional ones."""

    def drawn(chance: Chance) -> Json:
        members = {**required, **{name: draw for name, draw in optional.items() if chance.random() < 0.4}}
        return {name: draw(chance) for name, draw in members.items()}

    return drawn


def command(name: str, required: Mapping[str, Draw], **optional: Draw) -> Draw:
    """Draw a command with its arguments."""
    arguments = record(required, **optional)
    return lambda chance: (name, arguments(chance))
