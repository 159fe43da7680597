"""The deployment that the settings name: opened to act on it or only to read it, and who acts."""

import os
import pwd
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from domain.errors import NotFound
from domain.object_id import OBJECT_ID
from domain.principal import PRINCIPAL_KINDS, principal_id
from domain.resource import World
from domain.resource_id import name
from domain.service_principal import find_service_principal
from domain.user import find_user
from infra.cli import output, storage
from infra.cli.settings import Settings
from infra.control_plane import plane, when
from infra.control_plane.clock import host_clock
from infra.control_plane.plane import ControlPlane, Reading
from infra.log.record import Actor
from projections.visibility import visible


@dataclass(frozen=True, slots=True)
class Asking:
    """A reading, and what of it whoever asks may see."""

    reading: Reading
    may_see: Callable[[str], bool]
    now: str


@contextmanager
def opened(settings: Settings) -> Iterator[ControlPlane]:
    """Open the deployment to act on it; WrongKey if the root key is not its own."""
    with storage.unlocked(settings) as (database, root_key):
        yield ControlPlane(database, root_key)


@contextmanager
def asking(settings: Settings, at: str | None, principal: str | None = None) -> Iterator[Asking]:
    """Read the state as of a point in time, as an operator or under a principal; this needs no root key."""
    now = host_clock()
    moment = None if at is None else when.parse(at, now)
    with storage.opened(settings) as database, plane.read(database, moment) as reading:
        if reading.moment.snapped_from is not None:
            output.note(
                f"position {reading.moment.snapped_from} lies inside a command: answered at {reading.moment.position}"
            )
        world = reading.state
        may_see = (lambda _: True) if principal is None else visible(world, object_id(world, principal))
        yield Asking(reading, may_see, now)


def local_actor(settings: Settings) -> Actor:
    """Return who acts: the operating system's user, with the principal that the settings declare, if they do."""
    actor = Actor("os-user", socket.gethostname(), _os_user())
    return actor if settings.actor is None else plane.acting_as(actor, settings.actor)


def acting(control_plane: ControlPlane, settings: Settings, principal: str | None) -> Actor:
    """Return who acts, under the principal if one is given; then its roles are to be enforced."""
    actor = local_actor(settings)
    if principal is None:
        return actor
    with control_plane.read() as reading:
        return plane.acting_as(actor, object_id(reading.state, principal))


def object_id(world: World, principal: str) -> str:
    """Return the object id of an object id, user principal name or application id; NotFound if nobody has it."""
    if OBJECT_ID.fullmatch(principal):
        found = world.find(principal_id(principal))
        if found is not None and found.kind in PRINCIPAL_KINDS:
            return name(found.id)
        service_principal = find_service_principal(world, principal)
        if service_principal is not None:
            return name(service_principal["id"])
    else:
        user = find_user(world, principal)
        if user is not None:
            return user["objectId"]
    raise NotFound(f"there is no principal {principal}: give an object id, a user principal name or an application id")


def _os_user() -> str:
    user = os.geteuid()
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)
