"""Authorization: roles for what vaults are, access policies for what is in them, and what users do for themselves."""

from typing import Any

import pytest
from pydantic import SecretStr

from domain.access_policy import Permissions
from domain.application import AddKeyCredential, AddPasswordCredential
from domain.built_in_role import CONTRIBUTOR, OWNER, built_in_role_events
from domain.claims_provider_trust import ReplaceClaimsProviderTrustCertificates, UpdateClaimsProviderTrust
from domain.command import Command
from domain.control_plane import COMMANDS
from domain.group import AddGroupMember
from domain.role_assignment import AssignRole
from domain.secret import DeleteSecret, PurgeSecret, RecoverSecret
from domain.secret_version import SetSecret, UpdateSecretAttributes
from domain.subscription import CreateUserSubscription, Subscribe
from domain.user import DisableUser, SetPassword, UpdateUser
from domain.vault import DeleteVault, SetAccessPolicy
from projections.authorization import authorize
from tests.domain.identity import GROUP_A, KEY, OPERATOR
from tests.domain.scenario import ControlPlane, refused
from tests.domain.tenants import (
    DIRECTORY,
    OFFER,
    OTHER_TENANT,
    SECRET,
    TENANT,
    TENANT_OBJECT,
    VAULT,
    subscribe,
    with_offer,
    with_vault,
)

VERSION = f"{SECRET}/versions/1"
ON_SECRETS: list[tuple[Command, str]] = [
    (SetSecret.model_validate({"vault_id": VAULT, "name": "db-password", "value": "v"}), "set"),
    (UpdateSecretAttributes(id=VERSION, enabled=False), "set"),
    (DeleteSecret(id=SECRET), "delete"),
    (RecoverSecret(id=SECRET.upper()), "recover"),
    (PurgeSecret(id=SECRET), "purge"),
]


def may(plane: ControlPlane, command: Command, principal: str = TENANT_OBJECT) -> bool:
    return refused(lambda: authorize(plane.world, principal, command)) is None


@pytest.mark.parametrize(("command", "permission"), ON_SECRETS)
def test_what_is_in_a_vault_is_governed_by_its_access_policies_and_not_by_roles(
    command: Command, permission: str
) -> None:
    plane = with_vault()
    assert may(plane, DeleteVault(id=VAULT)), "the tenant is Owner of the subscription"
    assert not may(plane, command)
    others = [p for p in ("get", "list", "set", "delete", "recover", "backup", "restore", "purge") if p != permission]
    for permitted, expected in ((others, False), ([permission], True)):
        permissions = Permissions.model_validate({"secrets": permitted})
        plane.given(SetAccessPolicy(id=VAULT, object_id=TENANT_OBJECT, permissions=permissions))
        assert may(plane, command) == expected


def test_a_refusal_says_who_what_where_and_why() -> None:
    refusal = refused(lambda: authorize(with_vault().world, TENANT_OBJECT, DisableUser(object_id=TENANT_OBJECT)))
    assert refusal is not None
    assert (refusal.rule, refusal.resource) == ("not-allowed", DisableUser(object_id=TENANT_OBJECT).scope())
    for named in (TENANT_OBJECT, "Microsoft.Graph/users/write", "no role of"):
        assert named in str(refusal)


@pytest.mark.parametrize(("owner", "expected"), [(TENANT, True), (TENANT.upper(), True), (OTHER_TENANT, False)])
def test_a_user_subscribes_itself_and_nobody_else(owner: str, expected: bool) -> None:
    assert may(with_offer(), subscribe(owner=owner)) == expected
    assert may(with_offer(), subscribe(owner=owner), TENANT_OBJECT.upper()) == expected


def test_who_is_disabled_or_unknown_subscribes_nobody() -> None:
    plane = with_offer()
    assert not may(plane, subscribe(), "b0000000-0000-4000-9000-000000000099")
    assert not may(plane, subscribe(owner="nobody@region.example"))
    assert not may(plane.given(DisableUser(object_id=TENANT_OBJECT)), subscribe())


def test_only_the_operator_subscribes_to_a_private_offer() -> None:
    fields: dict[str, Any] = {"display_name": "Mine", "owner": TENANT, "tenant_id": DIRECTORY, "offer_id": OFFER}
    assert may(with_offer(), Subscribe(**fields))
    assert not may(with_offer(), CreateUserSubscription(**fields))


def test_every_command_is_asked_by_an_arm_action() -> None:
    for name, command in COMMANDS.items():
        namespace, *types, verb = command.action.split("/")
        assert "." in namespace, name
        assert types, name
        assert verb in ("write", "delete", "action"), name


def test_only_subscribing_is_everybodys_own_business() -> None:
    own = [name for name, command in COMMANDS.items() if command.self_service is not Command.self_service]
    assert own == ["Subscribe"]


ACTING_AS_ANOTHER = [
    AddGroupMember(group_id=GROUP_A, member_id=TENANT_OBJECT),
    SetPassword(object_id=OPERATOR, password=SecretStr("mine now")),
    UpdateUser(object_id=OPERATOR, claims_provider_trust="mine"),
    AddPasswordCredential(app_id=KEY, secret_text=SecretStr("mine too")),
    AddKeyCredential(app_id=KEY, certificate="MIIB"),
    UpdateClaimsProviderTrust(name="customer", metadata_document="<mine/>"),
    ReplaceClaimsProviderTrustCertificates(name="customer", certificates=("MIIB",)),
]


@pytest.mark.parametrize("command", ACTING_AS_ANOTHER)
def test_a_contributor_makes_itself_no_owner(command: Command) -> None:
    plane = with_offer().given(*built_in_role_events())
    plane.given(AssignRole(scope_id="/", role_definition_id=CONTRIBUTOR, principal_id=TENANT_OBJECT))
    assert may(plane, DisableUser(object_id=OPERATOR)), "a Contributor may do all but give roles"
    assert not may(plane, command)
    plane.given(AssignRole(scope_id="/", role_definition_id=OWNER, principal_id=TENANT_OBJECT))
    assert may(plane, command)
