"""Admission: quotas and policies in one answer."""

import pytest

from domain.errors import NotFound, Usage
from domain.offer import OfferCreated, OfferFields
from domain.plan import PlanCreated, PlanFields, plan_id
from domain.policy_assignment import AssignPolicy
from domain.policy_definition import DefinePolicy, policy_definition_id
from domain.quota import STORAGE_QUOTA, quota_id
from domain.tenancy import SubscriptionChanged
from projections.admission import admit
from projections.quota import Violation
from tests.domain.estate import MACHINE, NORTH, NORTH_GROUP, PROVIDER_GUID, estate
from tests.domain.scenario import ControlPlane

QUOTA = quota_id(PROVIDER_GUID, "Microsoft.Storage.Admin", "local", "small")
PLAN = plan_id(PROVIDER_GUID, "offers", "base")
OFFER = f"/subscriptions/{PROVIDER_GUID}/resourceGroups/offers/providers/Microsoft.Subscriptions.Admin/offers/gold"
ACCOUNT = {"type": "Microsoft.Storage/storageAccounts", "name": "stdata01", "location": "local"}
ELSEWHERE = {**ACCOUNT, "location": "elsewhere"}
USE = {"storage": {"numberOfStorageAccounts": 19}}


def with_limits() -> ControlPlane:
    """The estate with 20 storage accounts at most, only in the location `local`, and a policy that is not evaluated."""
    offer = OfferFields(
        name="gold", displayName="Gold", state="Public", basePlanIds=[PLAN], addonPlans=[], maxSubscriptionsPerAccount=0
    )
    rule = {"if": {"field": "location", "notIn": ["local"]}, "then": {"effect": "deny"}}
    odd = {"if": {"field": "name", "match": "?"}, "then": {"effect": "deny"}}
    return estate().given(
        STORAGE_QUOTA.events[0](QUOTA, {"capacityInGb": 2048, "numberOfStorageAccounts": 20}),
        PlanCreated(PLAN, PlanFields(name="base", displayName="Base", quotaIds=[QUOTA], skuIds=[])),
        OfferCreated(OFFER, offer),
        SubscriptionChanged(NORTH, {"offerId": OFFER}),
        DefinePolicy.model_validate({"name": "locations", "policyRule": rule}),
        DefinePolicy.model_validate({"name": "odd", "policyRule": odd}),
        AssignPolicy(name="a", scope_id=NORTH, policy_definition_id=policy_definition_id("/", "locations")),
        AssignPolicy(name="b", scope_id=NORTH_GROUP, policy_definition_id=policy_definition_id("/", "odd")),
    )


def test_a_request_within_quota_and_policy_is_admitted() -> None:
    answer = admit(with_limits().world, NORTH, {"storage": {"numberOfStorageAccounts": 1}}, USE, ACCOUNT)
    assert (answer.admitted, answer.policies) == (True, ())


def test_a_request_over_quota_is_refused_with_its_numbers() -> None:
    answer = admit(with_limits().world, NORTH_GROUP, {"storage": {"numberOfStorageAccounts": 2}}, USE, ACCOUNT)
    assert not answer.admitted
    assert answer.quota.violations == (Violation("storage", "numberOfStorageAccounts", 20, 19, 2, (QUOTA,)),)


def test_a_denying_policy_refuses_what_the_quota_would_admit() -> None:
    answer = admit(with_limits().world, NORTH, {}, {}, ELSEWHERE)
    assert (answer.admitted, answer.quota.admitted) == (False, True)
    assert [finding.outcome for finding in answer.policies] == ["deny"]


def test_a_policy_that_is_not_evaluated_does_not_refuse_and_is_told() -> None:
    answer = admit(with_limits().world, NORTH_GROUP, {}, {}, ACCOUNT)
    assert answer.admitted
    assert [finding.outcome for finding in answer.policies] == ["not-evaluated"]


def test_quotas_alone_can_be_asked() -> None:
    answer = admit(with_limits().world, MACHINE, {"storage": {"numberOfStorageAccounts": 1}}, USE)
    assert (answer.admitted, answer.policies) == (True, ())


@pytest.mark.parametrize("scope", ["/", "/providers/Microsoft.Management/managementGroups/Corp"])
def test_a_request_is_made_in_a_subscription(scope: str) -> None:
    with pytest.raises(Usage):
        admit(with_limits().world, scope, {}, {})


def test_a_request_in_an_unknown_subscription_finds_nothing() -> None:
    with pytest.raises(NotFound):
        admit(with_limits().world, "/subscriptions/unknown", {}, {})
