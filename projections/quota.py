"""Quotas: what a subscription may use, where that comes from, and whether it admits a request.

The base plans of the offer and every acquired add-on plan add up, an add-on that was acquired twice twice. A service
that no plan has a quota for is not offered at all; Key Vault, if it is offered, has no limits.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from domain.acquired_plan import ACQUIRED_PLAN
from domain.errors import NotFound, Usage
from domain.offer import OFFER
from domain.plan import PLAN
from domain.quota import LIMITS, QUOTAS, SERVICE_OF_KIND, Service
from domain.resource import World
from domain.tenancy import SUBSCRIPTION, Subscription

Amounts = Mapping[str, Mapping[str, int]]
"""Service -> field of its quota -> amount, in the field's unit."""


@dataclass(frozen=True, slots=True)
class QuotaSource:
    """One quota that counts, by which plan, and by which acquisition unless the plan is a base plan."""

    plan: str
    quota: str
    acquired_plan: str | None = None


@dataclass(frozen=True, slots=True)
class ServiceQuota:
    """What a subscription may use of one service; a service without `limits` is unlimited."""

    service: Service
    limits: Mapping[str, int]
    sources: tuple[QuotaSource, ...]


@dataclass(frozen=True, slots=True)
class Violation:
    """A limit that a request would exceed. `quotas` gave the limit; without any, the service is not offered."""

    service: str
    field: str
    limit: int
    used: int
    requested: int
    quotas: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a request is admitted, and all that speaks against it; `reason` is about the subscription as a whole."""

    admitted: bool
    reason: str | None = None
    violations: tuple[Violation, ...] = ()


def effective_quotas(world: World, subscription_id: str) -> dict[Service, ServiceQuota]:
    """Return what the subscription is offered, by service; NotFound if there is no such subscription."""
    sources: dict[Service, list[QuotaSource]] = {}
    limits: dict[Service, dict[str, int]] = {}
    for source in _sources(world, subscription_id):
        quota = world.find(source.quota)
        if quota is None:
            continue
        service = SERVICE_OF_KIND[quota.kind]
        sources.setdefault(service, []).append(source)
        total = limits.setdefault(service, dict.fromkeys(sorted(LIMITS[service]), 0))
        for field in total:
            amount = quota.state[field]
            assert isinstance(amount, int)
            total[field] += amount
    offered = [service for service in QUOTAS if service in limits]
    return {service: ServiceQuota(service, limits[service], tuple(sources[service])) for service in offered}


def admit(world: World, subscription_id: str, request: Amounts, use: Amounts | None = None) -> Admission:
    """Say whether the subscription, which uses so much already, may have what is requested on top.

    What `use` does not name is not used, and a request for 0 is always within limits. Raises NotFound if there is no
    such subscription, and Usage if a service, a field or an amount makes no sense.
    """
    for amounts in (request, use or {}):
        _check(amounts)
    state = _subscription(world, subscription_id)["state"]
    violations = tuple(_violations(effective_quotas(world, subscription_id), request, use or {}))
    reason = None if state == "Enabled" else f"subscription {subscription_id} is {state}"
    return Admission(reason is None and not violations, reason, violations)


def _sources(world: World, subscription_id: str) -> Iterator[QuotaSource]:
    subscription = _subscription(world, subscription_id)
    offer = OFFER.get(world, subscription.get("offerId", ""))
    plans: list[tuple[str, str | None]] = [(plan, None) for plan in offer["basePlanIds"]] if offer else []
    acquired = ACQUIRED_PLAN.sources(world, subscription["id"], "acquirer")
    for plan_id, acquisition in [*plans, *((plan["planId"], resource) for resource, plan in acquired)]:
        plan = PLAN.get(world, plan_id)
        for quota in plan["quotaIds"] if plan else ():
            yield QuotaSource(plan_id, quota, acquisition)


def _subscription(world: World, subscription_id: str) -> Subscription:
    subscription = SUBSCRIPTION.get(world, subscription_id)
    if subscription is None:
        raise NotFound(f"subscription {subscription_id} does not exist")
    return subscription


def _violations(quotas: Mapping[Service, ServiceQuota], request: Amounts, use: Amounts) -> Iterator[Violation]:
    offered: Mapping[str, ServiceQuota] = {str(service): quota for service, quota in quotas.items()}
    for service, fields in sorted(request.items()):
        quota = offered.get(service)
        for field, requested in sorted(fields.items()):
            if requested == 0:
                continue
            used = use.get(service, {}).get(field, 0)
            if quota is None:
                yield Violation(service, field, 0, used, requested, ())
            elif field in quota.limits and used + requested > quota.limits[field]:
                granted_by = tuple(source.quota for source in quota.sources)
                yield Violation(service, field, quota.limits[field], used, requested, granted_by)


def _check(amounts: Amounts) -> None:
    """Refuse what no quota of the service could answer; Key Vault answers for any field."""
    limits: Mapping[str, frozenset[str]] = {str(service): fields for service, fields in LIMITS.items()}
    for service, fields in amounts.items():
        if service not in limits:
            raise Usage(f"{service!r} is no service with quotas: choose from {', '.join(limits)}")
        for field, amount in fields.items():
            if limits[service] and field not in limits[service]:
                raise Usage(f"{service} has no limit {field!r}: choose from {', '.join(sorted(limits[service]))}")
            if amount < 0:
                raise Usage(f"{amount} of {service} {field} is negative: give what is used or requested as 0 or more")
