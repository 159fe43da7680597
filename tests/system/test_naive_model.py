"""Two models of the control plane, one fast and one naive, agree on random histories."""

from collections.abc import Iterable
from typing import Any

from hypothesis import HealthCheck, given, settings

from domain.control_plane import COMMANDS
from domain.errors import Refused
from domain.tenancy import subscription_id
from projections import access, policy, quota, vault_access
from tests.domain.scenario import ControlPlane, sealed
from tests.naive import pools, questions
from tests.naive.histories import histories
from tests.naive.model import Model
from tests.naive.pools import Step
from tests.naive.world import Json

NOT_MODELLED = ("certificates",)
"""Fields that the naive model leaves out, beside everything that is sealed."""

FACTS = {
    "thumbprint": "AB01",
    "notBefore": "2026-01-01T00:00:00Z",
    "notAfter": "2126-01-01T00:00:00Z",
    "subject": "CN=signing.customer.example",
}

ACTIONS = [
    "Microsoft.Compute/virtualMachines/read",
    "Microsoft.Compute/virtualMachines/delete",
    "Microsoft.Authorization/roleAssignments/write",
    "Microsoft.Subscriptions.Admin/offers/write",
]
DATA_ACTIONS = ["Microsoft.Storage/blobs/read", "Microsoft.Storage/queues/read"]
ASKED_SCOPES = list(dict.fromkeys([*pools.SCOPES, *pools.GROUP_IDS, *pools.SUBSCRIPTION_IDS]))
AMOUNTS: list[questions.Amounts] = [
    {"compute": {"virtualMachineCount": 1, "coresLimit": 2}},
    {"compute": {"virtualMachineCount": 6}, "key-vault": {"vaults": 1}},
    {"storage": {"capacityInGb": 2048}, "network": {"maxNicsPerSubscription": 0}},
    {"network": {"maxNicsPerSubscription": 1}},
    {},
]
USE: questions.Amounts = {"compute": {"coresLimit": 19}, "storage": {"capacityInGb": 1}}
RESOURCES: list[Json] = [
    {"type": "Microsoft.Compute/virtualMachines", "name": "VM-1", "location": "local", "tags": {"owner": "team"}},
    {"type": "Microsoft.Compute/virtualMachines", "name": "vm-2", "location": "west"},
    {"type": "Microsoft.Resources/subscriptions/resourceGroups", "name": "app", "tags": {}},
    {"type": "Microsoft.Storage/storageAccounts", "name": "data", "location": "East"},
]

RANDOM = settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


class Both:
    """The two models, which are told the same."""

    def __init__(self) -> None:
        self.plane = ControlPlane()
        self.model = Model()
        self.touched: set[str] = set()

    def told(self, steps: Iterable[Step]) -> "Both":
        """Tell both of each step; they must agree whether it is accepted."""
        for name, arguments in steps:
            if name == "wait":
                self.plane.after_days(arguments["days"])
                self.model.after_days(arguments["days"])
                continue
            expected = self.model.do(name, arguments, self.plane.fresh_id())
            found = self.refusal(name, arguments)
            assert (found is None) == expected, (name, arguments, found)
        return self

    def refusal(self, name: str, arguments: Json) -> Refused | None:
        """Tell the first model alone; return what refuses it, if anything does."""
        command = COMMANDS[name].model_validate(arguments)
        fresh = self.plane.fresh_id()
        values = {s.field: sealed(s.purpose, f"{fresh}/{s.field}") for s in command.sealings(fresh)}
        try:
            events = self.plane.when(command, sealed=values, facts={"certificates": [FACTS]})
        except Refused as refusal:
            return refusal
        self.touched |= {event.resource.lower() for event in events}
        return None

    def resources(self) -> dict[str, Any]:
        """Return the first model's resources, in the form of the second's."""
        found = (self.plane.find(resource_id) for resource_id in self.touched)
        return {r.id.lower(): _plain({**r.state, "kind": r.kind}) for r in found if r is not None}


def _plain(value: Any) -> Any:
    """Return a state in lower case, as equal ids may be spelled differently, without what is sealed or not modelled."""
    if isinstance(value, dict):
        members = {name: member for name, member in value.items() if name not in NOT_MODELLED}
        return {k: _plain(v) for k, v in members.items() if not (isinstance(v, dict) and "sealed" in v)}
    if isinstance(value, list):
        return [_plain(member) for member in value]
    return value.lower() if isinstance(value, str) else value


def founded() -> Both:
    """Return both models with the estate that histories begin with."""
    return Both().told(pools.FOUNDING)


def test_both_models_accept_the_estate_that_histories_begin_with() -> None:
    both = Both()
    for name, arguments in pools.FOUNDING:
        assert both.model.do(name, arguments, both.plane.fresh_id()), name
        assert both.refusal(name, arguments) is None, name


@RANDOM
@given(histories())
def test_both_models_agree_on_what_is_accepted_and_on_what_exists(history: list[Step]) -> None:
    both = founded().told(history)
    assert both.resources() == {k: _plain(v) for k, v in both.model.world.resources.items()}


@RANDOM
@given(histories())
def test_both_models_agree_on_who_may_do_what(history: list[Step]) -> None:
    both = founded().told(history)
    world, naive = both.plane.world, both.model.world
    for principal in pools.PRINCIPALS:
        for scope in ASKED_SCOPES:
            for action in ACTIONS:
                expected = questions.may(naive, principal, action, scope)
                assert access.check(world, principal, action, scope).allowed == expected, (principal, action, scope)
            for action in DATA_ACTIONS:
                expected = questions.may(naive, principal, action, scope, data=True)
                assert access.check(world, principal, action, scope, data=True).allowed == expected, (
                    principal,
                    action,
                    scope,
                )
        for vault in pools.VAULTS:
            for permission in ("secrets/get", "secrets/delete"):
                expected = questions.may_in_vault(naive, principal, permission, vault)
                assert vault_access.vault_check(world, principal, permission, vault).allowed == expected, (
                    principal,
                    vault,
                )


@RANDOM
@given(histories())
def test_both_models_agree_on_quotas_and_admission(history: list[Step]) -> None:
    both = founded().told(history)
    world, naive = both.plane.world, both.model.world
    for subscription in map(subscription_id, pools.SUBSCRIPTIONS):
        if naive.get("subscription", subscription) is None:
            continue
        found = {service: dict(q.limits) for service, q in quota.effective_quotas(world, subscription).items()}
        assert found == questions.effective_quotas(naive, subscription)
        for request in AMOUNTS:
            expected = questions.is_within_quotas(naive, subscription, request, USE)
            assert quota.admit(world, subscription, request, USE).admitted == expected, (subscription, request)


@RANDOM
@given(histories())
def test_both_models_agree_on_what_policies_say(history: list[Step]) -> None:
    both = founded().told(history)
    for scope in ASKED_SCOPES:
        for resource in RESOURCES:
            said = sorted((f.assignment.lower(), f.outcome) for f in policy.evaluate(both.plane.world, scope, resource))
            assert said == questions.policies_say(both.model.world, scope, resource), (scope, resource)
