"""Visibility: what a principal sees."""

from domain.built_in_role import READER
from domain.offer import AddonPlan, OfferCreated, OfferFields
from domain.principal import principal_id
from domain.role_assignment import AssignRole
from domain.role_definition import DefineRole, Permission, role_definition_id
from domain.tenancy import SubscriptionChanged
from domain.user import DisableUser
from projections.access import check
from projections.visibility import visible
from tests.domain.estate import GUEST, MACHINE, NORTH, NORTH_GROUP, OPERATOR, PROVIDER_GUID, SOUTH, TEAM, TENANT, estate
from tests.domain.scenario import ControlPlane

ADMIN = f"/subscriptions/{PROVIDER_GUID}/resourceGroups/offers/providers/Microsoft.Subscriptions.Admin"
GOLD, SILVER = f"{ADMIN}/offers/gold", f"{ADMIN}/offers/silver"
BASE, ADDON, OTHER = (f"{ADMIN}/plans/{plan}" for plan in ("base", "addon", "other"))


def with_offers() -> ControlPlane:
    """The tenant's subscription has the gold offer, with one base plan and one add-on plan."""
    gold = OfferFields(
        name="gold",
        displayName="Gold",
        state="Public",
        basePlanIds=[BASE],
        addonPlans=[AddonPlan(planId=ADDON, maxAcquisitionCount=1)],
        maxSubscriptionsPerAccount=0,
    )
    silver = OfferFields(
        name="silver",
        displayName="Silver",
        state="Public",
        basePlanIds=[OTHER],
        addonPlans=[],
        maxSubscriptionsPerAccount=0,
    )
    return estate().given(
        OfferCreated(GOLD, gold), OfferCreated(SILVER, silver), SubscriptionChanged(NORTH, {"offerId": GOLD})
    )


def test_the_owner_of_a_subscription_sees_it_its_content_and_its_offer_and_plans() -> None:
    sees = visible(with_offers().world, TENANT)
    assert all(map(sees, (NORTH, NORTH.upper(), NORTH_GROUP, MACHINE, GOLD, BASE, ADDON)))
    assert not any(map(sees, (SOUTH, "/", SILVER, OTHER, principal_id(TENANT))))


def test_others_see_nothing_of_it() -> None:
    world = with_offers().world
    assert not any(map(visible(world, GUEST), (NORTH, NORTH_GROUP, MACHINE, GOLD, BASE)))
    assert not any(map(visible(world, OPERATOR), (NORTH, GOLD)))
    assert visible(world, OPERATOR)(SOUTH)


def test_a_reader_sees_what_is_below_the_scope() -> None:
    plane = estate().given(AssignRole(scope_id=NORTH_GROUP, role_definition_id=READER, principal_id=TEAM))
    sees = visible(plane.world, GUEST)
    assert all(map(sees, (NORTH_GROUP, MACHINE, f"{MACHINE}/extensions/e")))
    assert not sees(NORTH)


def test_a_role_for_one_type_shows_that_type() -> None:
    role = "40000000-0000-4000-9000-000000000001"
    permission = Permission(actions=("Microsoft.Compute/*/read",), not_actions=("*/extensions/read",))
    plane = estate().given(
        DefineRole(name=role, role_name="Machines", permissions=(permission,), assignable_scopes=("/",)),
        AssignRole(scope_id="/", role_definition_id=role_definition_id(role), principal_id=GUEST),
    )
    sees = visible(plane.world, GUEST)
    assert sees(MACHINE)
    assert not any(map(sees, (NORTH, NORTH_GROUP, f"{MACHINE}/extensions/e")))
    assert check(plane.world, GUEST, "Microsoft.Compute/virtualMachines/read", MACHINE).allowed


def test_disabled_and_unknown_principals_see_nothing() -> None:
    plane = with_offers().given(DisableUser(object_id=TENANT))
    assert not visible(plane.world, TENANT)(NORTH)
    assert not visible(plane.world, "unknown")(NORTH)
