"""The installation: the deployment, its resource providers, built-in roles, and who operates it first."""

from domain.built_in_role import BUILT_IN_ROLES
from domain.deployment import DEPLOYMENT_ID
from domain.release import RELEASE
from infra.backup.age import HybridIdentity
from infra.canonical_json import encode
from scripts.benchmark.cloud.scribe import Resource, Scribe

REGION = "east"
DOMAIN = "region.example"
GRAPH = "/providers/Microsoft.Graph/directoryObjects"
AUTHORIZATION = "/providers/Microsoft.Authorization"
PROVIDERS = ("Compute", "Network", "Storage", "KeyVault", "Subscriptions", "Authorization", "Web", "SQLAdapter")
IDENTITY = HybridIdentity(bytes(range(32)))
"""Whoever measures knows the identity that opens the backups of this cloud."""


class Installation:
    """What a clean installation records first, and what operators change of it later."""

    def __init__(self, scribe: Scribe) -> None:
        self._scribe = scribe
        self._nodes = 4
        self.deployment = Resource(DEPLOYMENT_ID)
        self.id, self.epoch, self.tenant = scribe.guid(), scribe.guid(), scribe.guid()
        self.operator = Resource("", scribe.guid(), "operator-1")
        self.operator.id = f"{GRAPH}/{self.operator.guid}"
        self.provider = Resource("", scribe.guid(), "Default Provider Subscription")
        self.provider.id = f"/subscriptions/{self.provider.guid}"
        self.roles = [Resource(role, name=str(fields["roleName"])) for role, fields in BUILT_IN_ROLES.items()]
        self.providers = [
            Resource(f"/providers/Resurgam.Admin/resourceProviders/Microsoft.{name}", name=name) for name in PROVIDERS
        ]
        self._install()
        self.actions = ((0.3, self.change_inputs), (5, self.change_provider))

    def change_inputs(self) -> None:
        """Add a node, or take all but four away."""
        self._nodes = 4 + (self._nodes - 3) % 12
        self._scribe.write(
            "ChangeDeploymentInputs", ("deployment.inputs-changed", self.deployment, f'{{"inputs":{self._inputs()}}}')
        )

    def change_provider(self) -> None:
        """Enable or disable a resource provider."""
        provider = self._scribe.pick(self.providers)
        provider.is_on = not provider.is_on
        payload = f'{{"enabled":{_json(provider.is_on)}}}'
        self._scribe.write("UpdateResourceProvider", ("resource-provider.changed", provider, payload))

    def _install(self) -> None:
        scribe = self._scribe
        payload = (
            f'{{"deploymentId":"{self.id}","epoch":"{self.epoch}","inputs":{self._inputs()},"release":"{RELEASE}"}}'
        )
        scribe.write("CreateDeployment", ("deployment.created", self.deployment, payload))
        for role, fields in zip(self.roles, BUILT_IN_ROLES.values(), strict=True):
            scribe.write("DefineRole", ("role-definition.created", role, encode(fields).decode()))
        self._create_operator()
        recipient = Resource("/providers/Resurgam.Backup/recipients/safe")
        payload = (
            f'{{"createdOn":"{scribe.instant}","label":"safe","mayMix":false,"recipient":"{IDENTITY.recipient}",'
            '"recipientKind":"mlkem768x25519"}'
        )
        scribe.write("AddBackupRecipient", ("backup-recipient.added", recipient, payload))
        for provider in self.providers:
            payload = (
                f'{{"displayName":"{provider.name}","enabled":true,"namespace":"Microsoft.{provider.name}",'
                '"restoredBy":"ControlPlane"}'
            )
            scribe.write("RegisterResourceProvider", ("resource-provider.created", provider, payload))

    def _create_operator(self) -> None:
        scribe, operator = self._scribe, self.operator
        sealed = scribe.seal(operator, "password-hash", 97)
        payload = (
            f'{{"accountEnabled":true,"displayName":"Operator 1","objectId":"{operator.guid}","password":{sealed},'
            f'"userPrincipalName":"{operator.name}@{DOMAIN}"}}'
        )
        scribe.write("CreateUser", ("user.created", operator, payload))
        assignment = Resource(f"{AUTHORIZATION}/roleAssignments/{scribe.guid()}")
        payload = (
            f'{{"createdOn":"{scribe.instant}","principalId":"{operator.guid}",'
            f'"roleDefinitionId":"{self.roles[0].id}","scope":"/"}}'
        )
        scribe.write("AssignRole", ("role-assignment.created", assignment, payload))
        payload = (
            f'{{"delegatedProviderSubscriptionId":"{self.provider.guid}","displayName":"{self.provider.name}",'
            f'"owner":"{operator.name}@{DOMAIN}","routingResourceManagerType":"Admin","state":"Enabled",'
            f'"subscriptionId":"{self.provider.guid}","tenantId":"{self.tenant}"}}'
        )
        scribe.write("CreateProviderSubscription", ("subscription.created", self.provider, payload))

    def _inputs(self) -> str:
        nodes = ",".join(f'{{"ipAddress":"10.0.2.{n + 1}","name":"node-{n}"}}' for n in range(1, self._nodes + 1))
        return (
            f'{{"companyName":"Sample region","dnsForwarders":["10.1.0.53"],"externalDomainName":"{DOMAIN}",'
            '"identityStore":"ADFS","internalDomainName":"azurestack.local","namingPrefix":"azs","networks":{'
            '"bmc":"10.0.2.0/26","infrastructure":"10.0.1.0/24","private":"10.0.16.0/20","publicVip":"203.0.112.0/24",'
            f'"switchInfrastructure":"10.0.0.0/26","switchManagement":"10.0.3.0/29"}},"nodes":[{nodes}],'
            f'"permittedNetworks":["10.1.0.0/16"],"region":"{REGION}","timeServer":"10.1.0.123","timezone":"UTC"}}'
        )


def _json(value: bool) -> str:
    return "true" if value else "false"
