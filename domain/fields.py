"""Fields: how those that a command gives become an event's payload."""

from typing import TypeVar, cast

from pydantic import SecretStr

from domain.command import Command
from domain.event import Payload, State

P = TypeVar("P", bound=Payload)


def given(form: type[P], command: Command) -> P:
    """Return the fields of `form` that the command gives, as JSON in ARM's spelling; no None and no secret."""
    secrets = {name for name, value in command.__dict__.items() if isinstance(value, SecretStr)}
    fields = command.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=secrets)
    return cast(P, {name: value for name, value in fields.items() if name in form.__annotations__})


def differing(form: type[P], state: State, command: Command) -> P:
    """Return the given fields of `form` whose values are not the state's; none if the command changes nothing."""
    return cast(P, {name: value for name, value in given(form, command).items() if state.get(name) != value})
