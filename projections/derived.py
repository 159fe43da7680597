"""Derived facts: what is shown with a resource, follows from other states or from this release, and is never kept."""

from typing import cast

from domain.policy_assignment import PolicyAssignment
from domain.policy_definition import POLICY_DEFINITION, PolicyDefinition
from domain.resource import Resource, World
from domain.secret import vault_of
from domain.secret_version import secret_of
from domain.vault_state import VAULT, recovery_level
from projections.policy import why_not_assigned, why_not_defined


def derived(world: World, resource: Resource) -> dict[str, str]:
    """Return the facts by their names; most kinds have none.

    Secrets and their versions have the `recoveryLevel` of their vault; policy definitions and assignments whose rule
    uses what is not understood are marked with `notEvaluated`, which says why.
    """
    if resource.kind in ("secret", "secret-version"):
        secret = resource.id if resource.kind == "secret" else secret_of(resource.id)
        vault = VAULT.get(world, vault_of(secret))
        return {} if vault is None else {"recoveryLevel": recovery_level(world, vault)}
    why: str | None = None
    if resource.kind == "policy-definition":
        why = why_not_defined(cast(PolicyDefinition, resource.state))
    elif resource.kind == "policy-assignment":
        assignment = cast(PolicyAssignment, resource.state)
        definition = POLICY_DEFINITION.need(world, assignment["policyDefinitionId"], rule="policy-exists")
        why = why_not_assigned(definition, assignment)
    return {} if why is None else {"notEvaluated": why}
