"""Access: roles and policies, who and what they are assigned to, and the management groups above subscriptions."""

from scripts.benchmark.cloud.identity import Identity
from scripts.benchmark.cloud.installation import AUTHORIZATION, REGION, Installation
from scripts.benchmark.cloud.scribe import Resource, Scribe
from scripts.benchmark.cloud.tenancy import Tenancy

MANAGEMENT_GROUPS = "/providers/Microsoft.Management/managementGroups"
SERVICES = ("Compute", "Network", "Storage", "KeyVault", "Web")


class Access:
    """Roles are assigned every day, policies now and then."""

    def __init__(self, scribe: Scribe, installation: Installation, identity: Identity, tenancy: Tenancy) -> None:
        self._scribe = scribe
        self._identity = identity
        self._tenancy = tenancy
        self._roles = list(installation.roles)
        self._own_roles: list[Resource] = []
        self._assignments: list[Resource] = []
        self._former_assignments: list[Resource] = []
        self._policies: list[Resource] = []
        self._policy_assignments: list[Resource] = []
        self._groups: list[Resource] = []
        for _ in range(4):
            self.define_role()
            self.define_policy()
            self.create_group()
            self.place_subscription()
            self.assign()
            self.assign_policy()
        self.actions = (
            (0.5, self.define_role), (6, self.change_role), (24, self.assign), (7, self.unassign),
            (3, self.assign_again), (0.5, self.define_policy), (6, self.change_policy), (3, self.assign_policy),
            (14, self.change_policy_assignment), (1, self.unassign_policy), (0.5, self.create_group),
            (3, self.rename_group), (2, self.place_subscription),
        )  # fmt: skip

    def define_role(self) -> None:
        """Define a role of one's own."""
        scribe = self._scribe
        service = SERVICES[len(self._own_roles) % len(SERVICES)]
        name = f"{service} operator {len(self._own_roles)}"
        role = Resource(f"{AUTHORIZATION}/roleDefinitions/{scribe.guid()}", name=name)
        payload = (
            f'{{"assignableScopes":["/"],"description":"Operates {service}","permissions":[{{"actions":['
            f'"Microsoft.{service}/*","Microsoft.Resources/subscriptions/resourceGroups/read"],"dataActions":[],'
            f'"notActions":["Microsoft.{service}/*/delete"],"notDataActions":[]}}],"roleName":"{name}",'
            '"type":"CustomRole"}'
        )
        scribe.write("DefineRole", ("role-definition.created", role, payload))
        self._own_roles.append(role)
        self._roles.append(role)

    def change_role(self) -> None:
        """Describe a role anew."""
        payload = f'{{"description":"Edition {self._scribe.position}"}}'
        self._scribe.write("UpdateRole", ("role-definition.changed", self._scribe.pick(self._own_roles), payload))

    def assign(self) -> None:
        """Assign a role at a subscription or a resource group."""
        scribe = self._scribe
        principals = (self._identity.users, self._identity.groups, self._identity.service_principals)
        scopes = (self._tenancy.subscriptions, self._tenancy.resource_groups)
        scope = scribe.any(scopes[scribe.position % 2])
        assignment = Resource("", scribe.any(principals[scribe.position % 3]).guid, scribe.pick(self._roles).id, scope)
        assignment.id = f"{scope.id}{AUTHORIZATION}/roleAssignments/{scribe.guid()}"
        scope.parts.append(assignment)
        self._write_assignment(assignment)

    def unassign(self) -> None:
        """Take an assignment away."""
        assignment = self._scribe.take(self._assignments)
        self._scribe.write("UnassignRole", ("role-assignment.deleted", assignment, "{}"))
        self._former_assignments.append(assignment)

    def assign_again(self) -> None:
        """Make an assignment again under the name that it had."""
        if self._former_assignments:
            self._write_assignment(self._scribe.take(self._former_assignments))

    def define_policy(self) -> None:
        """Define a policy."""
        name = f"audit-{len(self._policies)}"
        policy = Resource(f"{AUTHORIZATION}/policyDefinitions/{name}", name=name)
        payload = (
            f'{{"displayName":"{name}","mode":"All","parameters":{{"locations":{{"type":"Array"}}}},"policyRule":{{'
            '"if":{"not":{"field":"location","in":"[parameters(\'locations\')]"}},"then":{"effect":"audit"}},'
            '"policyType":"Custom"}'
        )
        self._scribe.write("DefinePolicy", ("policy-definition.created", policy, payload))
        self._policies.append(policy)

    def change_policy(self) -> None:
        """Describe a policy anew."""
        payload = f'{{"description":"Edition {self._scribe.position}"}}'
        self._scribe.write("UpdatePolicy", ("policy-definition.changed", self._scribe.pick(self._policies), payload))

    def assign_policy(self) -> None:
        """Assign a policy at a subscription."""
        policy, scope = self._scribe.any(self._policies), self._scribe.any(self._tenancy.subscriptions)
        name = f"{policy.name}-{self._scribe.position:x}"
        assignment = Resource(f"{scope.id}{AUTHORIZATION}/policyAssignments/{name}", name=name)
        payload = (
            f'{{"parameters":{{"locations":{{"value":["{REGION}"]}}}},"policyDefinitionId":"{policy.id}",'
            f'"scope":"{scope.id}"}}'
        )
        self._scribe.write("AssignPolicy", ("policy-assignment.created", assignment, payload))
        self._policy_assignments.append(assignment)

    def change_policy_assignment(self) -> None:
        """Rename a policy assignment."""
        assignment = self._scribe.pick(self._policy_assignments)
        payload = f'{{"displayName":"Edition {self._scribe.position}"}}'
        self._scribe.write("UpdatePolicyAssignment", ("policy-assignment.changed", assignment, payload))

    def unassign_policy(self) -> None:
        """Make an exception."""
        if len(self._policy_assignments) > 1:
            assignment = self._scribe.take(self._policy_assignments)
            self._scribe.write("UnassignPolicy", ("policy-assignment.deleted", assignment, "{}"))

    def create_group(self) -> None:
        """Create a management group, every other one below another."""
        name = f"business-{len(self._groups)}"
        group = Resource(f"{MANAGEMENT_GROUPS}/{name}", name=name)
        parent = f',"parent":"{self._groups[-1].id}"' if len(self._groups) % 2 else ""
        payload = f'{{"displayName":"{name}"{parent}}}'
        self._scribe.write("CreateManagementGroup", ("management-group.created", group, payload))
        self._groups.append(group)

    def rename_group(self) -> None:
        """Rename a management group."""
        payload = f'{{"displayName":"Business {self._scribe.position}"}}'
        happening = ("management-group.renamed", self._scribe.pick(self._groups), payload)
        self._scribe.write("RenameManagementGroup", happening)

    def place_subscription(self) -> None:
        """Put a subscription into a management group, unless it was put into one."""
        subscription, group = self._scribe.any(self._tenancy.subscriptions), self._scribe.any(self._groups)
        if subscription.key == "placed":
            return
        subscription.key = "placed"
        place = Resource(f"{group.id}{subscription.id}")
        payload = f'{{"managementGroup":"{group.id}","subscription":"{subscription.id}"}}'
        happening = ("management-group-subscription.created", place, payload)
        self._scribe.write("AddSubscriptionToManagementGroup", happening)

    def _write_assignment(self, assignment: Resource) -> None:
        assert assignment.parent is not None
        payload = (
            f'{{"createdOn":"{self._scribe.instant}","principalId":"{assignment.guid}",'
            f'"roleDefinitionId":"{assignment.name}","scope":"{assignment.parent.id}"}}'
        )
        self._scribe.write("AssignRole", ("role-assignment.created", assignment, payload))
        self._assignments.append(assignment)
