"""Users: names are unique, there is one way to log in, and what refers to a user goes before it."""

from typing import Any

import pytest
from pydantic import ValidationError

from domain.access_policy import Permissions
from domain.event import Event, Nothing
from domain.group import AddGroupMember
from domain.group_membership import group_membership_id
from domain.principal import principal_id
from domain.role_assignment import RoleAssigned, RoleAssignmentFields, role_assignment_id
from domain.sealed_value import key_ids
from domain.subscription import UpdateSubscription
from domain.subscription_state import CompleteSubscriptionDeletion, DeleteSubscription
from domain.user import CreateUser, DeleteUser, DisableUser, EnableUser, SetPassword, UpdateUser, find_user
from domain.vault import SetAccessPolicy
from tests.domain.identity import (
    GROUP_A,
    KEY,
    OPERATOR,
    SECRET,
    create_operator,
    with_groups,
    with_operator,
    with_trust,
)
from tests.domain.scenario import NOW, ControlPlane, sealed
from tests.domain.tenants import (
    OTHER_TENANT,
    PROVIDER_GUID,
    TENANT_GUID,
    TENANT_OBJECT,
    TENANT_SUBSCRIPTION,
    VAULT,
    subscribe,
    with_offer,
    with_tenant,
    with_vault,
)

USER = principal_id(OPERATOR)
FEDERATED = "22222222-2222-4222-8222-222222222222"
READER = "/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"
OWNER = "/providers/Microsoft.Authorization/roleDefinitions/8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
ASSIGNMENT = role_assignment_id("/", KEY)


def federated(name: str = "tenant-1@customer.example", trust: str = "customer") -> CreateUser:
    return CreateUser(user_principal_name=name, display_name="Tenant", object_id=FEDERATED, claims_provider_trust=trust)


def assigned(role: str, principal: str = OPERATOR, assignment: str = ASSIGNMENT) -> Event:
    fields = RoleAssignmentFields(roleDefinitionId=role, principalId=principal, scope="/", createdOn=NOW)
    return RoleAssigned(assignment, fields)


def types(events: list[Event]) -> list[str]:
    return [event.type for event in events]


def test_a_user_is_created_with_a_sealed_password() -> None:
    plane = with_operator()
    assert plane.state(USER) == {
        "id": USER,
        "objectId": OPERATOR,
        "userPrincipalName": "operator-1@region.example",
        "displayName": "Operator",
        "accountEnabled": True,
        "password": sealed("password-hash"),
    }


def test_a_password_is_sealed_into_the_user_that_will_have_it() -> None:
    drawn = CreateUser(user_principal_name="a@b", display_name="A", password=SECRET)
    (sealing,) = drawn.sealings("fresh")
    assert (sealing.field, sealing.purpose, sealing.resource) == ("password", "password-hash", principal_id("fresh"))
    (sealing,) = SetPassword(object_id=OPERATOR, password=SECRET).sealings("fresh")
    assert (sealing.purpose, sealing.resource) == ("password-hash", USER)


def test_a_federated_user_has_nothing_to_seal() -> None:
    assert federated().sealings("fresh") == ()


def test_creating_is_asked_on_the_id_that_is_given_or_else_on_the_directory() -> None:
    assert create_operator().scope() == USER
    assert CreateUser(user_principal_name="a@b", display_name="A", password=SECRET).scope() == "/"


def test_a_user_without_an_object_id_is_given_one() -> None:
    plane = ControlPlane()
    expected = principal_id(plane.fresh_id())
    command = CreateUser(user_principal_name="a@b", display_name="A", given_name="An", password=SECRET)
    (event,) = plane.when(command, sealed={"password": sealed("password-hash")})
    assert event.resource == expected
    assert plane.state(expected)["givenName"] == "An"


def test_an_object_id_may_be_a_security_identifier() -> None:
    sid = "S-1-5-21-3623811015-3361044348-30300820-1013"
    plane = ControlPlane()
    plane.when(create_operator(object_id=sid), sealed={"password": sealed("password-hash")})
    assert plane.state(principal_id(sid))["objectId"] == sid


@pytest.mark.parametrize("name", ["no-at-sign", "two@at@signs", "a b@c", "@c", "a@", "a/b@c"])
def test_a_malformed_user_principal_name_is_no_command(name: str) -> None:
    with pytest.raises(ValidationError):
        create_operator(name)


def test_a_user_principal_name_is_unique_in_any_spelling() -> None:
    plane = with_operator()
    refusal = plane.refuses(
        create_operator("OPERATOR-1@Region.Example", FEDERATED),
        "user-principal-name-unique",
        sealed={"password": sealed("password-hash")},
    )
    assert refusal.resource == USER
    plane.when(create_operator("operator-2@region.example", FEDERATED), sealed={"password": sealed("password-hash")})


def test_an_object_id_is_unique_among_all_principals() -> None:
    plane = with_groups()
    plane.refuses(create_operator(object_id=GROUP_A), "id-is-new", sealed={"password": sealed("password-hash")})


def test_a_user_is_found_by_its_name_in_any_spelling() -> None:
    plane = with_operator()
    found = find_user(plane.world, "Operator-1@REGION.example")
    assert found is not None
    assert found["id"] == USER
    assert find_user(plane.world, "operator-2@region.example") is None


def test_a_user_may_change_the_spelling_of_its_own_name() -> None:
    plane = with_operator()
    plane.when(UpdateUser(object_id=OPERATOR, user_principal_name="Operator-1@region.example"))
    assert plane.state(USER)["userPrincipalName"] == "Operator-1@region.example"


def test_a_user_may_not_take_the_name_of_another() -> None:
    plane = with_trust(with_operator()).given(federated())
    plane.refuses(
        UpdateUser(object_id=FEDERATED, user_principal_name="operator-1@region.example"), "user-principal-name-unique"
    )


def test_a_name_is_free_again_after_its_user_took_another() -> None:
    plane = with_operator()
    plane.given(UpdateUser(object_id=OPERATOR, user_principal_name="operator-9@region.example"))
    plane.when(create_operator(object_id=FEDERATED), sealed={"password": sealed("password-hash")})


def test_only_given_fields_are_changed() -> None:
    plane = with_operator()
    (event,) = plane.when(UpdateUser(object_id=OPERATOR, display_name="Operator", mail="operator-1@region.example"))
    assert event.payload == {"mail": "operator-1@region.example"}


def test_an_update_without_a_difference_records_nothing() -> None:
    assert with_operator().when(UpdateUser(object_id=OPERATOR, display_name="Operator")) == []


def test_a_user_that_does_not_exist_is_not_changed() -> None:
    plane = ControlPlane()
    for command in (UpdateUser, EnableUser, DisableUser, DeleteUser):
        plane.refuses(command(object_id=OPERATOR), "user-exists")


def test_a_federated_user_names_a_trust_and_has_no_password() -> None:
    plane = with_trust().given(federated())
    state = plane.state(principal_id(FEDERATED))
    assert state["claimsProviderTrust"] == "customer"
    assert "password" not in state


def test_a_federated_user_needs_a_trust_that_exists() -> None:
    ControlPlane().refuses(federated(), "claims-provider-trust-exists")


def test_a_user_has_exactly_one_way_to_log_in() -> None:
    plane = with_trust()
    neither = CreateUser(user_principal_name="a@b", display_name="A")
    both = CreateUser(user_principal_name="a@b", display_name="A", password=SECRET, claims_provider_trust="customer")
    plane.refuses(neither, "one-way-to-log-in")
    plane.refuses(both, "one-way-to-log-in", sealed={"password": sealed("password-hash")})


def test_a_federated_user_moves_to_another_trust() -> None:
    plane = with_trust(with_trust(), "partner").given(federated())
    plane.when(UpdateUser(object_id=FEDERATED, claims_provider_trust="PARTNER"))
    assert plane.state(principal_id(FEDERATED))["claimsProviderTrust"] == "partner"
    assert plane.when(UpdateUser(object_id=FEDERATED, claims_provider_trust="Partner")) == []
    plane.refuses(UpdateUser(object_id=FEDERATED, claims_provider_trust="nobody"), "claims-provider-trust-exists")


def test_a_user_with_a_password_is_not_made_federated() -> None:
    plane = with_trust(with_operator())
    plane.refuses(UpdateUser(object_id=OPERATOR, claims_provider_trust="customer"), "one-way-to-log-in")


def test_a_federated_user_is_given_no_password() -> None:
    plane = with_trust().given(federated())
    command = SetPassword(object_id=FEDERATED, password=SECRET)
    refusal = plane.refuses(command, "one-way-to-log-in", sealed={"password": sealed("password-hash")})
    assert "customer" in str(refusal)


def test_a_new_password_leaves_no_key_of_the_old_one() -> None:
    plane = with_operator(key="old")
    command = SetPassword(object_id=OPERATOR, password=SECRET)
    assert types(plane.when(command, sealed={"password": sealed("password-hash", "new")})) == ["user.password-set"]
    assert list(key_ids(plane.state(USER))) == ["new"]


def test_a_user_is_disabled_and_enabled_again() -> None:
    plane = with_operator()
    assert plane.when(EnableUser(object_id=OPERATOR)) == []
    assert types(plane.when(DisableUser(object_id=OPERATOR))) == ["user.disabled"]
    assert plane.state(USER)["accountEnabled"] is False
    assert plane.when(DisableUser(object_id=OPERATOR)) == []
    assert types(plane.when(EnableUser(object_id=OPERATOR))) == ["user.enabled"]
    assert plane.state(USER)["accountEnabled"] is True


def test_a_deleted_user_leaves_its_groups() -> None:
    plane = with_groups(with_operator()).given(AddGroupMember(group_id=GROUP_A, member_id=OPERATOR))
    events = plane.when(DeleteUser(object_id=OPERATOR))
    assert types(events) == ["group-membership.deleted", "user.deleted"]
    assert plane.state(USER) is None
    assert plane.state(group_membership_id(principal_id(GROUP_A), OPERATOR)) is None


def test_a_user_that_holds_a_role_is_not_deleted() -> None:
    plane = with_operator().given(assigned(READER))
    assert plane.refuses(DeleteUser(object_id=OPERATOR), "principal-holds-no-role").resource == ASSIGNMENT


def test_a_forced_deletion_takes_the_roles_away() -> None:
    plane = with_operator().given(assigned(READER))
    events = plane.when(DeleteUser(object_id=OPERATOR, force=True))
    assert events[0] == Event("role-assignment.deleted", ASSIGNMENT, Nothing())
    assert types(events) == ["role-assignment.deleted", "user.deleted"]


def test_not_even_a_forced_deletion_takes_the_last_owner() -> None:
    plane = with_operator().given(assigned(OWNER))
    plane.refuses(DeleteUser(object_id=OPERATOR, force=True), "an-owner-remains")
    with_trust(plane).given(federated(), assigned(OWNER, FEDERATED, role_assignment_id("/", GROUP_A)))
    plane.when(DeleteUser(object_id=OPERATOR, force=True))


def test_a_user_is_created_again_after_its_deletion() -> None:
    plane = with_operator().given(DeleteUser(object_id=OPERATOR))
    with_operator(plane)
    found = plane.find(USER)
    assert found is not None
    assert found.sequence == 3


OPERATED: dict[str, Any] = {"provider_subscription_id": PROVIDER_GUID, "subscription_id": TENANT_GUID}


@pytest.mark.parametrize(
    "command",
    [
        UpdateUser(object_id=TENANT_OBJECT, user_principal_name="renamed@region.example"),
        DeleteUser(object_id=TENANT_OBJECT, force=True),
    ],
)
def test_who_owns_a_subscription_keeps_the_name_that_it_is_owned_by(command: UpdateUser | DeleteUser) -> None:
    plane = with_tenant()
    refusal = plane.refuses(command, "user-owns-no-subscription")
    assert refusal.resource == TENANT_SUBSCRIPTION
    plane.given(UpdateUser(object_id=TENANT_OBJECT, user_principal_name="TENANT-1@region.example", mail="a@b"))
    plane.given(UpdateSubscription(**OPERATED, owner=OTHER_TENANT), command)


def test_a_deleted_subscription_has_no_owner() -> None:
    plane = with_offer().given(subscribe(), DeleteSubscription(**OPERATED))
    plane.refuses(DeleteUser(object_id=TENANT_OBJECT), "user-owns-no-subscription")
    plane.given(CompleteSubscriptionDeletion(**OPERATED), DeleteUser(object_id=TENANT_OBJECT))


def test_access_policies_go_with_their_principal_by_force_alone() -> None:
    plane = with_vault()
    for holder in (OPERATOR, TENANT_OBJECT):
        plane.given(SetAccessPolicy(id=VAULT, object_id=holder, permissions=Permissions(secrets=("get",))))
    plane.when(create_operator("operator-2@region.example"), sealed={"password": sealed("password-hash")})
    assert plane.refuses(DeleteUser(object_id=OPERATOR), "principal-has-no-access-policy").resource == VAULT
    events = plane.when(DeleteUser(object_id=OPERATOR, force=True))
    assert types(events) == ["vault.changed", "user.deleted"]
    assert [policy["objectId"] for policy in plane.state(VAULT)["accessPolicies"]] == [TENANT_OBJECT]


@pytest.mark.parametrize("name", ["a\u200b@b", "a@b\u202e", "a\x01@b", "a@b\n", "a b@c", "a/b@c", "@b", "a@", "a@b@c"])
def test_a_name_holds_nothing_that_is_not_seen(name: str) -> None:
    with pytest.raises(ValidationError):
        CreateUser(user_principal_name=name, display_name="A", password=SECRET)
