"""Users: people who log in with a password of their own, or through a claims provider trust that vouches for them."""

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar, Literal, NotRequired

from pydantic import AfterValidator, Field, with_config
from typing_extensions import TypedDict

from domain.claims_provider_trust import CLAIMS_PROVIDER_TRUST, claims_provider_trust_id
from domain.command import Command, Name, Prepared, Sealing, Secret, Text
from domain.errors import Refused
from domain.event import STRICT, Event, EventType, Nothing, changed, created, deleted
from domain.fields import differing, given
from domain.object_id import ObjectId
from domain.principal import disabled, enabled, principal_id
from domain.principal_references import references_ended
from domain.resource import Kind, Link, World, key
from domain.resource_id import fold
from domain.role_assignment import must_leave_an_owner
from domain.sealed_value import SealedValue
from domain.tenancy import owner_key

PASSWORD_PURPOSE: Literal["password-hash"] = "password-hash"  # noqa: S105, it names a purpose


def _checked_name(user_principal_name: str) -> str:
    if any(unicodedata.category(character)[0] == "C" for character in user_principal_name):
        raise ValueError("a user principal name holds no invisible characters")
    return user_principal_name


UserPrincipalName = Annotated[str, Field(pattern=r"^[^@\s/]{1,64}@[^@\s/]{1,255}$"), AfterValidator(_checked_name)]


@with_config(STRICT)
class UserChanges(TypedDict, total=False):
    """Names as in Graph; `claimsProviderTrust` is the name of the trust that a federated user logs in through."""

    userPrincipalName: str
    displayName: str
    givenName: str
    surname: str
    mail: str
    claimsProviderTrust: str


@with_config(STRICT)
class UserFields(TypedDict):
    """A user has either a `password` (argon2id, sealed) or a `claimsProviderTrust`."""

    objectId: str
    userPrincipalName: str
    displayName: str
    givenName: NotRequired[str]
    surname: NotRequired[str]
    mail: NotRequired[str]
    accountEnabled: bool
    password: NotRequired[SealedValue]
    claimsProviderTrust: NotRequired[str]


@with_config(STRICT)
class PasswordFields(TypedDict):
    """The hash that replaces the one before, whose key is thereby destroyed."""

    password: SealedValue


class User(UserFields):
    """The state of a user."""

    id: str


UserCreated = EventType("user.created", UserFields, created)
UserChanged = EventType("user.changed", UserChanges, changed)
UserPasswordSet = EventType("user.password-set", PasswordFields, changed)
UserEnabled = EventType("user.enabled", Nothing, enabled)
UserDisabled = EventType("user.disabled", Nothing, disabled)
UserDeleted = EventType("user.deleted", Nothing, deleted)


def user_key(user_principal_name: str) -> str:
    """Return the target of the link that keeps a user principal name unique and finds its user."""
    return key("user", user_principal_name)


def _links(state: User) -> Iterable[Link]:
    yield "key", user_key(state["userPrincipalName"])
    if "claimsProviderTrust" in state:
        yield "claims_provider_trust", claims_provider_trust_id(state["claimsProviderTrust"])


USER = Kind[User](
    "user",
    "identity",
    "user",
    (UserCreated, UserChanged, UserPasswordSet, UserEnabled, UserDisabled, UserDeleted),
    _links,
    ("userPrincipalName", "claimsProviderTrust"),
    state=User,
)


def find_user(world: World, user_principal_name: str) -> User | None:
    """Return the user of that name in any spelling."""
    return next((user for _, user in USER.sources(world, user_key(user_principal_name), "key")), None)


class CreateUser(Command):
    """Create a user with a password, or a federated one with a trust instead. Without `object_id` one is drawn."""

    action: ClassVar[str] = "Microsoft.Graph/users/write"

    user_principal_name: UserPrincipalName
    display_name: Text = Field(min_length=1)
    object_id: ObjectId | None = None
    given_name: Text | None = None
    surname: Text | None = None
    mail: Text | None = None
    account_enabled: bool = True
    password: Secret | None = None
    claims_provider_trust: Name | None = None

    def scope(self) -> str:
        return principal_id(self.object_id) if self.object_id else "/"

    def sealings(self, fresh_id: str) -> Sequence[Sealing]:
        if self.password is None:
            return ()
        return (Sealing("password", PASSWORD_PURPOSE, principal_id(self.object_id or fresh_id)),)


class UserCommand(Command):
    """A command on one user."""

    action: ClassVar[str] = "Microsoft.Graph/users/write"

    object_id: ObjectId

    def scope(self) -> str:
        return principal_id(self.object_id)


class UpdateUser(UserCommand):
    """Change the fields that are given. A federated user may move to another claims provider trust."""

    gives_roles: ClassVar[bool] = True

    user_principal_name: UserPrincipalName | None = None
    display_name: Text | None = Field(default=None, min_length=1)
    given_name: Text | None = None
    surname: Text | None = None
    mail: Text | None = None
    claims_provider_trust: Name | None = None


class SetPassword(UserCommand):
    """Replace a user's password; the key of the old hash is destroyed."""

    action: ClassVar[str] = "Microsoft.Graph/users/setPassword/action"
    gives_roles: ClassVar[bool] = True

    password: Secret

    def sealings(self, fresh_id: str) -> Sequence[Sealing]:
        return (Sealing("password", PASSWORD_PURPOSE, self.scope()),)


class EnableUser(UserCommand):
    """Let a user log in again."""


class DisableUser(UserCommand):
    """Keep a user from logging in; roles and memberships stay."""


class DeleteUser(UserCommand):
    """Delete a user and its group memberships; with `force` its role assignments too."""

    action: ClassVar[str] = "Microsoft.Graph/users/delete"

    force: bool = False


def create_user(world: World, now: str, prepared: Prepared, command: CreateUser) -> list[Event]:
    """The name is free, and there is exactly one way to log in."""
    user = principal_id(command.object_id or prepared.id)
    USER.must_be_new(world, user)
    _name_must_be_free(world, user, command.user_principal_name)
    if (command.password is None) == (command.claims_provider_trust is None):
        raise Refused(
            f"user {command.user_principal_name} needs one way to log in: give a password or a claimsProviderTrust",
            rule="one-way-to-log-in",
            resource=user,
        )
    fields: UserFields = {
        **given(UserFields, command),
        "objectId": command.object_id or prepared.id,
    }
    if command.claims_provider_trust is not None:
        fields["claimsProviderTrust"] = _trust_name(world, command.claims_provider_trust)
    else:
        fields["password"] = prepared.sealed["password"]
    return [UserCreated(user, fields)]


def update_user(world: World, now: str, prepared: Prepared, command: UpdateUser) -> list[Event]:
    """A new name is free, and no subscription names the old one; only a federated user can be given another trust."""
    user = _need(world, command)
    changes = differing(UserChanges, user, command)
    if "userPrincipalName" in changes:
        _name_must_be_free(world, user["id"], changes["userPrincipalName"])
        if fold(changes["userPrincipalName"]) != fold(user["userPrincipalName"]):
            _must_own_nothing(world, user)
    if "claimsProviderTrust" in changes:
        if "claimsProviderTrust" not in user:
            raise Refused(
                f"user {user['userPrincipalName']} logs in with a password: create a federated user instead",
                rule="one-way-to-log-in",
                resource=user["id"],
            )
        changes["claimsProviderTrust"] = _trust_name(world, changes["claimsProviderTrust"])
        if changes["claimsProviderTrust"] == user["claimsProviderTrust"]:
            del changes["claimsProviderTrust"]
    return [UserChanged(user["id"], changes)] if changes else []


def set_password(world: World, now: str, prepared: Prepared, command: SetPassword) -> list[Event]:
    """The user has a password here."""
    user = _need(world, command)
    if "claimsProviderTrust" in user:
        raise Refused(
            f"user {user['userPrincipalName']} has no password here: change it at the provider of claims provider "
            f"trust {user['claimsProviderTrust']}",
            rule="one-way-to-log-in",
            resource=user["id"],
        )
    return [UserPasswordSet(user["id"], PasswordFields(password=prepared.sealed["password"]))]


def enable_user(world: World, now: str, prepared: Prepared, command: EnableUser) -> list[Event]:
    """Enabling twice changes nothing."""
    user = _need(world, command)
    return [] if user["accountEnabled"] else [UserEnabled(user["id"], Nothing())]


def disable_user(world: World, now: str, prepared: Prepared, command: DisableUser) -> list[Event]:
    """Somebody else is Owner at the root '/'. Disabling twice changes nothing."""
    user = _need(world, command)
    must_leave_an_owner(world, user["id"])
    return [UserDisabled(user["id"], Nothing())] if user["accountEnabled"] else []


def delete_user(world: World, now: str, prepared: Prepared, command: DeleteUser) -> list[Event]:
    """The user owns no subscription; what else refers to it goes first, see domain.principal_references."""
    user = _need(world, command)
    _must_own_nothing(world, user)
    return [*references_ended(world, user["id"], force=command.force), UserDeleted(user["id"], Nothing())]


def _need(world: World, command: UserCommand) -> User:
    return USER.need(world, command.scope(), rule="user-exists")


def _name_must_be_free(world: World, user: str, user_principal_name: str) -> None:
    holder = find_user(world, user_principal_name)
    if holder is not None and holder["id"] != user:
        raise Refused(
            f"user principal name {user_principal_name} belongs to {holder['id']}: choose another",
            rule="user-principal-name-unique",
            resource=holder["id"],
        )


def _must_own_nothing(world: World, user: User) -> None:
    owned = world.sources(owner_key(user["userPrincipalName"]), "owner")
    if owned:
        raise Refused(
            f"user {user['userPrincipalName']} owns {len(owned)} subscriptions, the first is {owned[0]}: "
            "give them another owner, or complete their deletion, first",
            rule="user-owns-no-subscription",
            resource=owned[0],
        )


def _trust_name(world: World, name: str) -> str:
    return CLAIMS_PROVIDER_TRUST.need(world, claims_provider_trust_id(name), rule="claims-provider-trust-exists")[
        "name"
    ]


DECISIONS = {
    CreateUser: create_user,
    UpdateUser: update_user,
    SetPassword: set_password,
    EnableUser: enable_user,
    DisableUser: disable_user,
    DeleteUser: delete_user,
}
KINDS = (USER,)
