"""Commands: requests for change, as frozen models in ARM's spelling, and what is prepared for them outside the lock."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr
from pydantic.alias_generators import to_camel

from domain import resource_id
from domain.errors import Usage
from domain.sealed_value import SealedValue


def _checked_id(text: str) -> str:
    try:
        return resource_id.check(text)
    except Usage as error:
        raise ValueError(str(error)) from None


def _checked_name(text: str) -> str:
    try:
        resource_id.check_segment(text, text)
    except Usage as error:
        raise ValueError(str(error)) from None
    if "/" in text:
        raise ValueError(f"{text!r} holds a slash; it is one segment of an id")
    return text


Id = Annotated[str, AfterValidator(_checked_id)]
"""An ARM resource id."""

Name = Annotated[str, Field(min_length=1, max_length=260), AfterValidator(_checked_name)]
"""One segment of an ARM id."""

Guid = Annotated[str, Field(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")]

Text = Annotated[str, Field(max_length=4096, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""A line of text, without control characters."""

Lines = Annotated[str, Field(max_length=4096, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$")]
"""Text of several lines: tabs and line breaks are its only control characters."""

Ids = Annotated[tuple[Id, ...], Field(strict=False)]
Texts = Annotated[tuple[Text, ...], Field(strict=False)]


@dataclass(frozen=True, slots=True)
class Sealing:
    """A command's field that is sealed before it is decided: for which purpose, and into which resource."""

    field: str
    purpose: str
    resource: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a decision may not make itself: a fresh UUID, sealed values by field name, and facts of certificates.

    It was made before the lock was taken, on a state that may have changed since: a decision re-checks what it relied
    on.
    """

    id: str
    sealed: Mapping[str, SealedValue] = field(default_factory=dict)
    facts: Mapping[str, object] = field(default_factory=dict)


ASSIGN_ROLES = "Microsoft.Authorization/roleAssignments/write"
"""The action of giving somebody a role."""


class Command(BaseModel, ABC):
    """A request for change. `action` is the ARM action that whoever asks must be allowed on `scope()`."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        alias_generator=to_camel,
        populate_by_name=True,
        hide_input_in_errors=True,
        defer_build=True,
    )

    action: ClassVar[str]
    gives_roles: ClassVar[bool] = False
    """Whether it lets somebody act as a principal, by a credential or a membership: ASSIGN_ROLES is then asked too."""

    @abstractmethod
    def scope(self) -> str:
        """Return the id on which `action` must be allowed."""

    def self_service(self) -> str | None:
        """Return the user principal name of who may always do this, as it concerns nobody else; None: nobody may."""
        return None

    def sealings(self, fresh_id: str) -> Sequence[Sealing]:
        """Return the fields to seal; `fresh_id` is the UUID that the decision will find in `Prepared.id`."""
        return ()


SECRET_BYTES_MAX = 25_600


def _checked_secret(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value().encode()) > SECRET_BYTES_MAX:
        raise ValueError(f"a secret of more than {SECRET_BYTES_MAX} bytes")
    return secret


Secret = Annotated[SecretStr, Field(min_length=1, max_length=SECRET_BYTES_MAX), AfterValidator(_checked_secret)]
"""A value that is sealed before it is recorded; 25 KiB of UTF-8 at most, as in Key Vault."""
