"""Events: what happened to one resource, as a type with a stable name, a schema and a payload."""

from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from domain.errors import Refused

State = Mapping[str, object]
"""A resource's state: plain JSON with ARM's field names. `id` is the resource's id as it was first written."""

Payload = Mapping[str, object]
P = TypeVar("P", bound=Payload)

STRICT = ConfigDict(extra="forbid", strict=True, defer_build=True)
"""Of every payload. Its validator is built at its first use: most processes need few of them, and start at once."""


@with_config(STRICT)
class Nothing(TypedDict):
    """The payload of an event whose type says it all."""


class Event(NamedTuple):
    """One change of exactly one resource, not yet recorded."""

    type: str
    resource: str
    payload: Payload


Evolution = Callable[[State | None, str, Any], State | None]
"""(state before, resource id, payload) -> state after; None is a deleted resource."""


class EventType(Generic[P]):
    """A kind of change, whose `name` is stored for ever and whose `schema` numbers the payload's form.

    `evolve` is what it does to a state. Calling it makes an event of the payload, which is checked here, before it can
    be recorded.
    """

    def __init__(self, name: str, payload: type[P], evolve: Evolution, *, schema: int = 1) -> None:
        self.name = name
        self.schema = schema
        self.payload = payload
        self.evolve = evolve
        self.adapter: TypeAdapter[P] = TypeAdapter(payload)

    def __call__(self, resource: str, payload: P) -> Event:
        try:
            self.adapter.validate_python(payload)
        except ValidationError as error:
            fields = ", ".join(
                ".".join(map(str, e["loc"])) + ": " + e["msg"] for e in error.errors(include_input=False)
            )
            raise Refused(
                f"{self.name} of {resource} is malformed ({fields})", rule="event-well-formed", resource=resource
            ) from None
        return Event(self.name, resource, payload)

    def __repr__(self) -> str:
        return f"EventType({self.name!r}, schema={self.schema})"


def created(state: State | None, resource: str, payload: Payload) -> State:
    """The payload becomes the state."""
    return {"id": resource, **payload}


def changed(state: State | None, resource: str, payload: Payload) -> State:
    """The payload's fields replace the state's; the others stay."""
    if state is None:
        raise Refused(f"{resource} was changed before it was created", rule="event-order", resource=resource)
    return {**state, **payload}


def deleted(state: State | None, resource: str, payload: Payload) -> None:
    """The resource is no more; its sequence goes on if it is created again."""
