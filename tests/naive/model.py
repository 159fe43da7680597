"""The naive model: does commands, given as plain JSON, to a naive world."""

import copy
from datetime import timedelta

from tests.naive import deployment, identity, offerings, roles, subscriptions, vaults
from tests.naive.world import Forbidden, Json, World

AREAS = (deployment, identity, offerings, subscriptions, vaults, roles)
COMMANDS = {name: does for area in AREAS for name, does in area.COMMANDS.items()}


class Model:
    """A control plane that is simple rather than fast."""

    def __init__(self) -> None:
        self.world = World()

    def do(self, command: str, arguments: Json, fresh_id: str) -> bool:
        """Say whether the command is accepted; the fresh id stands for an id that it does not give."""
        before = copy.deepcopy(self.world.resources)
        try:
            COMMANDS[command](self.world, copy.deepcopy(arguments), fresh_id)
        except Forbidden:
            self.world.resources = before
            return False
        return True

    def after_days(self, days: int) -> None:
        """Let time pass."""
        self.world.now += timedelta(days=days)
