"""Resources as a decision sees them: kinds, their states and links, and the world that holds them."""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeVar, cast

from domain.errors import Refused
from domain.event import EventType, State, deleted
from domain.resource_id import fold
from domain.restored import restored

Service = Literal["deployment", "identity", "federation", "certificates", "subscriptions", "vaults", "roles"]
SERVICES: tuple[Service, ...] = (
    "deployment",
    "identity",
    "federation",
    "certificates",
    "subscriptions",
    "vaults",
    "roles",
)

Link = tuple[str, str]
"""(relation, target): the id of another resource, or an alternate key of this one, see `key`."""


def key(name: str, *parts: str) -> str:
    """Return the target of a link by which a resource is found, or kept unique, by something other than its id.

    Parts are equal as ids are. They are hashed because a target must fit into an index entry beside an id.
    """
    folded = "\n".join(map(fold, parts))
    return f"{name}:{sha256(folded.encode('utf-8', 'surrogatepass')).hexdigest()}"


class Resource(NamedTuple):
    """A resource that exists: its id as it was written, its kind, the number of its last event, and its state."""

    id: str
    kind: str
    sequence: int
    state: State


class World(Protocol):
    """The resources at one position; ids are taken in any spelling, and deleted resources are not in it."""

    def find(self, resource_id: str) -> Resource | None:
        """Return the resource of that id, in O(1)."""

    def sources(self, target: str, relation: str) -> Sequence[str]:
        """Return the folded ids of the resources that have such a link to `target`, sorted, in O(their number)."""


def no_links(state: Any) -> Iterable[Link]:
    """Return no link: the resource refers to nothing."""
    return ()


S = TypeVar("S", bound=State)


class Kind(Generic[S]):
    """A kind of resource: its stable name, the service it belongs to, its events, and the links that its state implies.

    `links` is a pure function of the state, of its id and the members `linked_by`: while those stay, so do the links.
    `title` is what an operator calls one, for messages. `state` is given for kinds that can be restored from a backup
    into a running deployment: `restored` is the event of that. `ended` is one without payload by which a resource is no
    more, None for kinds that stay for ever.
    """

    def __init__(
        self,
        name: str,
        service: Service,
        title: str,
        events: Sequence[EventType[Any]],
        links: Callable[[S], Iterable[Link]] = no_links,
        linked_by: Sequence[str] = (),
        *,
        state: type[S] | None = None,
    ) -> None:
        self.name = name
        self.service = service
        self.title = title
        self.restored = None if state is None else restored(name, state)
        self.ended = next((event for event in events if event.evolve is deleted), None)
        self.events = events if self.restored is None else (*events, self.restored)
        self.links = links
        self.linked_by = linked_by

    def get(self, world: World, resource_id: str) -> S | None:
        """Return the state of the resource if it exists and is of this kind."""
        found = world.find(resource_id)
        return cast(S, found.state) if found is not None and found.kind == self.name else None

    def need(
        self, world: World, resource_id: str, *, rule: str, advice: str = "create it first or correct the id"
    ) -> S:
        """Return the state, or refuse by name because something depends on a resource that is not there."""
        state = self.get(world, resource_id)
        if state is None:
            raise Refused(f"{self.title} {resource_id} does not exist: {advice}", rule=rule, resource=resource_id)
        return state

    def must_be_new(self, world: World, resource_id: str) -> None:
        """Refuse if anything exists under that id."""
        found = world.find(resource_id)
        if found is not None:
            raise Refused(
                f"{self.title} {found.id} exists already: change it, or choose another name",
                rule="id-is-new",
                resource=found.id,
            )

    def sources(self, world: World, target: str, relation: str) -> list[tuple[str, S]]:
        """Return (id, state) of every resource of this kind that has such a link to `target`, sorted by folded id."""
        found = (world.find(source) for source in world.sources(target, relation))
        return [(r.id, cast(S, r.state)) for r in found if r is not None and r.kind == self.name]

    def __repr__(self) -> str:
        return f"Kind({self.name!r})"
