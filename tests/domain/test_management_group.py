"""Management groups and the subscriptions in them."""

import pytest
from pydantic import ValidationError

from domain.built_in_role import READER
from domain.command import Command
from domain.management_group import (
    DEPTH_MAX,
    AddSubscriptionToManagementGroup,
    CreateManagementGroup,
    DeleteManagementGroup,
    ManagementGroupCreated,
    ManagementGroupDeleted,
    ManagementGroupMoved,
    ManagementGroupRenamed,
    MoveManagementGroup,
    RemoveSubscriptionFromManagementGroup,
    RenameManagementGroup,
    SubscriptionAddedToManagementGroup,
    SubscriptionRemovedFromManagementGroup,
    enclosing_scopes,
    management_group_id,
)
from domain.policy_definition import DefinePolicy
from domain.role_assignment import AssignRole
from domain.role_definition import DefineRole, Permission
from domain.tenancy import SubscriptionDeleted
from tests.domain.estate import GUEST, MACHINE, NORTH, NORTH_GROUP, NORTH_GUID, estate
from tests.domain.scenario import ControlPlane

CORP = management_group_id("Corp")
LAB = management_group_id("Lab")
TEST = management_group_id("Test")
ROLE = "40000000-0000-4000-9000-000000000001"


def tree() -> ControlPlane:
    """Corp over Lab, and Test beside Corp."""
    return estate().given(
        CreateManagementGroup(name="Corp"),
        CreateManagementGroup(name="Lab", parent=CORP),
        CreateManagementGroup(name="Test"),
    )


def chain(length: int) -> list[CreateManagementGroup]:
    """Return commands for groups of which each is the parent of the next."""
    parents = [None, *(management_group_id(f"level-{n}") for n in range(1, length))]
    return [CreateManagementGroup(name=f"level-{n}", parent=parent) for n, parent in enumerate(parents, 1)]


def test_a_management_group_is_created_below_another() -> None:
    plane = estate().given(CreateManagementGroup(name="Corp", display_name="Whole company"))
    assert plane.state(CORP) == {"id": CORP, "displayName": "Whole company"}
    assert plane.when(CreateManagementGroup(name="Lab", parent=CORP.upper())) == [
        ManagementGroupCreated(LAB, {"displayName": "Lab", "parent": CORP})
    ]


def test_a_management_group_is_new() -> None:
    assert tree().refuses(CreateManagementGroup(name="corp"), "id-is-new").resource == CORP


def test_a_parent_exists() -> None:
    estate().refuses(CreateManagementGroup(name="Lab", parent=CORP), "management-group-exists")


@pytest.mark.parametrize("name", ["", "a" * 91, "a/b", "a b", ".a", "ä"])
def test_a_name_has_the_form_that_azure_allows(name: str) -> None:
    with pytest.raises(ValidationError):
        CreateManagementGroup(name=name)


def test_a_management_group_is_renamed_once() -> None:
    plane = tree()
    rename = RenameManagementGroup(id=CORP, display_name="Company")
    assert plane.when(rename) == [ManagementGroupRenamed(CORP, {"displayName": "Company"})]
    assert plane.when(rename) == []


def test_a_management_group_moves_and_back_below_the_root() -> None:
    plane = tree()
    assert plane.when(MoveManagementGroup(id=LAB, parent=TEST)) == [ManagementGroupMoved(LAB, {"parent": TEST})]
    assert enclosing_scopes(plane.world, LAB) == [LAB, TEST, "/"]
    assert plane.when(MoveManagementGroup(id=LAB, parent=TEST)) == []
    assert plane.when(MoveManagementGroup(id=LAB)) == [ManagementGroupMoved(LAB, {})]
    assert plane.state(LAB) == {"id": LAB, "displayName": "Lab"}
    assert plane.when(MoveManagementGroup(id=LAB)) == []


@pytest.mark.parametrize("parent", [CORP, LAB])
def test_no_management_group_stands_below_itself(parent: str) -> None:
    tree().refuses(MoveManagementGroup(id=CORP, parent=parent), "management-groups-form-a-tree")


def test_the_tree_has_at_most_six_levels() -> None:
    *fits, too_deep = chain(DEPTH_MAX + 1)
    plane = estate().given(*fits)
    plane.refuses(too_deep, "management-group-depth")


def test_a_move_counts_the_levels_that_move_along() -> None:
    plane = tree().given(*chain(DEPTH_MAX - 1))
    plane.refuses(
        MoveManagementGroup(id=CORP, parent=management_group_id(f"level-{DEPTH_MAX - 1}")), "management-group-depth"
    )
    plane.given(MoveManagementGroup(id=CORP, parent=management_group_id(f"level-{DEPTH_MAX - 2}")))


def test_a_subscription_is_in_one_management_group_and_moves_to_another() -> None:
    plane = tree()
    in_lab, in_test = f"{LAB}/subscriptions/{NORTH_GUID}", f"{TEST}/subscriptions/{NORTH_GUID}"
    add = AddSubscriptionToManagementGroup(management_group_id=LAB, subscription_id=NORTH_GUID)
    assert plane.when(add) == [
        SubscriptionAddedToManagementGroup(in_lab, {"managementGroup": LAB, "subscription": NORTH})
    ]
    assert plane.when(add) == []
    assert enclosing_scopes(plane.world, MACHINE) == [MACHINE, NORTH_GROUP, NORTH, LAB, CORP, "/"]
    assert plane.when(AddSubscriptionToManagementGroup(management_group_id=TEST, subscription_id=NORTH_GUID)) == [
        SubscriptionRemovedFromManagementGroup(in_lab, {}),
        SubscriptionAddedToManagementGroup(in_test, {"managementGroup": TEST, "subscription": NORTH}),
    ]
    assert enclosing_scopes(plane.world, NORTH) == [NORTH, TEST, "/"]


def test_only_an_existing_subscription_is_added_and_only_to_an_existing_group() -> None:
    unknown = "00000000-0000-4000-9000-000000000000"
    tree().refuses(AddSubscriptionToManagementGroup(management_group_id=LAB, subscription_id=unknown), "scope-exists")
    estate().refuses(
        AddSubscriptionToManagementGroup(management_group_id=LAB, subscription_id=NORTH_GUID), "management-group-exists"
    )


def test_a_subscription_is_removed_even_after_its_deletion() -> None:
    plane = tree().given(AddSubscriptionToManagementGroup(management_group_id=LAB, subscription_id=NORTH_GUID))
    plane.given(SubscriptionDeleted(NORTH, {}))
    remove = RemoveSubscriptionFromManagementGroup(management_group_id=LAB, subscription_id=NORTH_GUID)
    assert plane.when(remove) == [SubscriptionRemovedFromManagementGroup(f"{LAB}/subscriptions/{NORTH_GUID}", {})]
    plane.refuses(remove, "subscription-in-management-group")


def test_an_unused_management_group_is_deleted() -> None:
    assert tree().when(DeleteManagementGroup(id=LAB)) == [ManagementGroupDeleted(LAB, {})]


@pytest.mark.parametrize(
    "use",
    [
        CreateManagementGroup(name="Below", parent=LAB),
        AddSubscriptionToManagementGroup(management_group_id=LAB, subscription_id=NORTH_GUID),
        AssignRole(scope_id=LAB, role_definition_id=READER, principal_id=GUEST),
        DefineRole(name=ROLE, role_name="Lab", permissions=(Permission(actions=("*",)),), assignable_scopes=(LAB,)),
        DefinePolicy(name="p", scope_id=LAB, policy_rule={"if": {"allOf": []}, "then": {"effect": "audit"}}),
    ],
)
def test_a_management_group_in_use_is_not_deleted(use: object) -> None:
    tree().given(use).refuses(DeleteManagementGroup(id=LAB), "management-group-unused")  # type: ignore[arg-type]  # pytest's parameters have no type


@pytest.mark.parametrize(
    "command",
    [
        MoveManagementGroup(id=LAB, parent=TEST),
        AddSubscriptionToManagementGroup(management_group_id=LAB, subscription_id=NORTH_GUID),
        RemoveSubscriptionFromManagementGroup(management_group_id=LAB, subscription_id=NORTH_GUID),
    ],
)
def test_what_changes_inheritance_is_asked_on_the_root(command: Command) -> None:
    assert command.scope() == "/"
