"""The naive model: does commands, given as plain JSON, to a naive world."""

import copy
import pickle
from datetime import timedelta

from tests.naive import deployment, identity, offerings, roles, subscriptions, vaults
from tests.naive.world import Forbidden, Json, World, must

AREAS = (deployment, identity, offerings, subscriptions, vaults, roles)
COMMANDS = {name: does for area in AREAS for name, does in area.COMMANDS.items()}

TAKES_OWNERS = (
    "DisableUser",
    "DisableServicePrincipal",
    "DeleteUser",
    "DeleteServicePrincipal",
    "DeleteGroup",
    "RemoveGroupMember",
    "UnassignRole",
)


def has_an_owner(world: World) -> bool:
    """Say whether somebody who is enabled is Owner of the root, itself or through groups."""
    owners = world.where("role-assignment", roleDefinitionId=roles.OWNER, scope="/")
    holders = {owner["principalId"].lower() for owner in owners}
    enabled = [p for kind in ("user", "service-principal") for p in world.all(kind) if p["accountEnabled"]]
    return any(identity.groups_of(world, principal["objectId"]) & holders for principal in enabled)


class Model:
    """A control plane that is simple rather than fast."""

    def __init__(self) -> None:
        self.world = World()

    def do(self, command: str, arguments: Json, fresh_id: str) -> bool:
        """Say whether the command is accepted; the fresh id stands for an id that it does not give."""
        before, had_an_owner = pickle.dumps(self.world.resources), command in TAKES_OWNERS and has_an_owner(self.world)
        try:
            COMMANDS[command](self.world, copy.deepcopy(arguments), fresh_id)
            must(has_an_owner(self.world) or not had_an_owner, "somebody who is enabled remains Owner of the root")
        except Forbidden:
            self.world.resources = pickle.loads(before)
            return False
        return True

    def after_days(self, days: int) -> None:
        """Let time pass."""
        self.world.now += timedelta(days=days)
