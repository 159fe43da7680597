"""Admission: would a request be admitted, by the quotas of its subscription and by the policies at its scope."""

from dataclasses import dataclass

from domain.errors import Usage
from domain.policy_rule import Request
from domain.resource import World
from domain.scope import SUBSCRIPTION_TYPE, resource_type
from domain.tenancy import subscription_of
from projections import quota
from projections.policy import PolicyFinding, evaluate
from projections.quota import Amounts


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a request is admitted, what its quotas say, and every finding of a policy, nearest scope first.

    A policy that was not evaluated refuses nothing; it stands among the findings so that nobody overlooks it.
    """

    admitted: bool
    quota: quota.Admission
    policies: tuple[PolicyFinding, ...]


def admit(world: World, scope: str, amounts: Amounts, use: Amounts, resource: Request | None = None) -> Admission:
    """Say whether `amounts` on top of `use`, and the `resource` if one is described, are admitted at the scope.

    The scope is a subscription or anything in one; Usage if it is not, NotFound if there is no such subscription.
    """
    subscription = subscription_of(scope)
    if resource_type(subscription).lower() != SUBSCRIPTION_TYPE.lower():
        raise Usage(f"scope {scope} is in no subscription: a request is admitted in one")
    by_quota = quota.admit(world, subscription, amounts, use)
    findings = tuple(evaluate(world, scope, resource)) if resource is not None else ()
    is_denied = any(finding.outcome == "deny" for finding in findings)
    return Admission(by_quota.admitted and not is_denied, by_quota, findings)
