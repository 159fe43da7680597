"""Random histories of commands, legal and illegal ones, over the few names of `tests.naive.pools`."""

from collections.abc import Sequence
from typing import Any, TypeVar

from hypothesis import strategies as st

from tests.naive import pools
from tests.naive.pools import Step
from tests.naive.world import Json

Some = st.SearchStrategy[Any]
T = TypeVar("T")

RULES: Sequence[Json] = [
    {"if": {"field": "location", "notIn": ["local", "east"]}, "then": {"effect": "deny"}},
    {"if": {"field": "location", "notIn": "[parameters('allowed')]"}, "then": {"effect": "deny"}},
    {"if": {"not": {"field": "tags['owner']", "exists": "true"}}, "then": {"effect": "audit"}},
    {
        "if": {
            "allOf": [
                {"field": "type", "like": "Microsoft.Compute/*"},
                {"anyOf": [{"field": "name", "equals": "vm-1"}, {"field": "location", "notEquals": "local"}]},
            ]
        },
        "then": {"effect": "deny"},
    },
    {"if": {"field": "type", "in": ["Microsoft.Storage/storageAccounts"]}, "then": {"effect": "append"}},
    {"if": {"count": {"field": "x"}, "equals": 1}, "then": {"effect": "deny"}},
]
PERMISSIONS: Sequence[Json] = [
    {"actions": ["Microsoft.Compute/*"], "notActions": ["Microsoft.Compute/*/delete"]},
    {"actions": ["*/read"]},
    {"actions": ["microsoft.compute/virtualMachines/DELETE"]},
    {"actions": ["*"], "condition": "@Resource[name] StringEquals 'x'", "conditionVersion": "2.0"},
    {"dataActions": ["Microsoft.Storage/*/read"], "notDataActions": ["Microsoft.Storage/queues/read"]},
]


def one_of(values: Sequence[T]) -> st.SearchStrategy[T]:
    """Draw one of the values."""
    return st.sampled_from(values)


def spelled(texts: Sequence[str]) -> Some:
    """Draw one of the texts, now and then in another case: it stays equal to itself."""
    return st.builds(lambda text, other: text.upper() if other else text, one_of(texts), one_of([False] * 7 + [True]))


def some(values: Sequence[str], most: int = 3) -> Some:
    """Draw a few of the texts."""
    return st.lists(spelled(values), max_size=most)


TEXT = one_of(["first", "second", "SECOND"])
BOOLEAN = st.booleans()
COUNT = st.integers(0, 3)
SECONDS = st.integers(1, 3)

USER = spelled(pools.USERS + [pools.GROUPS[2]])
GROUP = spelled(pools.GROUPS)
SERVICE_PRINCIPAL = spelled(pools.SERVICE_PRINCIPALS)
PRINCIPAL = spelled(pools.PRINCIPALS)
USER_NAME = spelled(pools.USER_NAMES)
APPLICATION = spelled(pools.APPLICATIONS)
SUBSCRIPTION = spelled(pools.SUBSCRIPTIONS)
QUOTA = spelled(pools.QUOTAS)
PLAN = spelled(pools.PLAN_IDS)
OFFER = spelled(pools.OFFER_IDS)
RESOURCE_GROUP = spelled(pools.GROUP_IDS)
VAULT = spelled(pools.VAULTS)
SECRET = spelled(pools.SECRETS)
MANAGEMENT_GROUP = spelled(pools.MANAGEMENT_GROUPS)
SCOPE = spelled(pools.SCOPES)
ROLE = spelled(pools.ROLES)
POLICY = spelled(pools.POLICIES)
TAGS = st.dictionaries(one_of(["owner", "cost"]), TEXT, max_size=2)
ENTRY = {
    "objectId": PRINCIPAL,
    "permissions": st.fixed_dictionaries({"secrets": st.lists(one_of(["get", "list", "set", "delete"]), max_size=3)}),
}
PERMISSION_BLOCKS = st.lists(one_of(PERMISSIONS), min_size=1, max_size=2)
ASSIGNABLE = st.lists(SCOPE, min_size=1, max_size=2)
COMPUTE_LIMITS = {"virtualMachineCount": COUNT, "coresLimit": COUNT}
STORAGE_LIMITS = {"capacityInGb": COUNT, "numberOfStorageAccounts": COUNT}
ADDON = st.fixed_dictionaries({"planId": PLAN}, optional={"maxAcquisitionCount": SECONDS})
OPERATED = {"providerSubscriptionId": spelled([pools.PROVIDER] * 4 + [pools.NORTH]), "subscriptionId": SUBSCRIPTION}


def command(name: str, required: dict[str, Some], **optional: Some) -> Some:
    """Draw the arguments of a command."""
    return st.fixed_dictionaries(required, optional=optional).map(lambda arguments: (name, arguments))


IDENTITY = [
    command(
        "CreateUser",
        {"userPrincipalName": USER_NAME, "displayName": TEXT, "objectId": USER},
        password=TEXT,
        claimsProviderTrust=one_of(["customer"]),
        accountEnabled=BOOLEAN,
    ),
    command("UpdateUser", {"objectId": USER}, userPrincipalName=USER_NAME, claimsProviderTrust=one_of(["customer"]), mail=TEXT),
    command("SetPassword", {"objectId": USER, "password": TEXT}),
    command("EnableUser", {"objectId": USER}),
    command("DisableUser", {"objectId": USER}),
    command("DeleteUser", {"objectId": spelled([pools.OPERATOR, *pools.USERS])}, force=BOOLEAN),
    command("CreateGroup", {"displayName": TEXT, "objectId": spelled(pools.GROUPS + [pools.USERS[2]])}),
    command("UpdateGroup", {"objectId": GROUP}, displayName=TEXT, description=TEXT),
    command("DeleteGroup", {"objectId": GROUP}, force=BOOLEAN),
    command("AddGroupMember", {"groupId": GROUP, "memberId": PRINCIPAL}),
    command("AddGroupMember", {"groupId": GROUP, "memberId": GROUP}),
    command("RemoveGroupMember", {"groupId": GROUP, "memberId": PRINCIPAL}),
    command("CreateApplication", {"displayName": TEXT, "appId": APPLICATION}),
    command("UpdateApplication", {"appId": APPLICATION}, displayName=TEXT),
    command("DeleteApplication", {"appId": APPLICATION}),
    command(
        "AddPasswordCredential",
        {"appId": APPLICATION, "secretText": TEXT, "keyId": spelled(pools.KEYS)},
        endDateTime=one_of(["2026-01-01T00:00:00.000000Z", "2099-01-01T00:00:00.000000Z"]),
    ),
    command("RemovePasswordCredential", {"appId": APPLICATION, "keyId": spelled(pools.KEYS)}),
    command("CreateServicePrincipal", {"appId": APPLICATION, "objectId": SERVICE_PRINCIPAL}, displayName=TEXT),
    command("EnableServicePrincipal", {"objectId": SERVICE_PRINCIPAL}),
    command("DisableServicePrincipal", {"objectId": SERVICE_PRINCIPAL}),
    command("DeleteServicePrincipal", {"objectId": SERVICE_PRINCIPAL}, force=BOOLEAN),
    command(
        "CreateClaimsProviderTrust",
        {"name": one_of(["customer", "CUSTOMER"]), "certificates": st.just([pools.CERTIFICATE])},
        metadataUrl=one_of(["https://adfs.customer.example/metadata"]),
        metadataDocument=TEXT,
    ),
    command("UpdateClaimsProviderTrust", {"name": one_of(["customer"])}, metadataDocument=TEXT, claimRules=TEXT),
    command("DeleteClaimsProviderTrust", {"name": one_of(["customer"])}),
]

DEPLOYMENT = [
    command(
        "ChangeDeploymentInputs",
        {
            "inputs": st.builds(
                lambda server, region, bmc: {
                    **pools.INPUTS,
                    "timeServer": server,
                    "region": region,
                    "networks": {**pools.INPUTS["networks"], "bmc": bmc},
                },
                one_of(["10.0.9.1", "10.0.9.2"]),
                one_of(["east", "east", "west"]),
                one_of(["10.0.3.0/26", "10.0.3.0/26", "10.0.2.0/26"]),
            )
        },
    ),
    command("RegisterResourceProvider", {"namespace": one_of(["Contoso.Db"]), "displayName": TEXT, "restoredBy": one_of(["ByHand"])}),
    command("UpdateResourceProvider", {"namespace": spelled(["Contoso.Db"])}, enabled=BOOLEAN),
    command("UnregisterResourceProvider", {"namespace": spelled(["Contoso.Db"])}),
]

PROVIDED = {"providerSubscriptionId": spelled([pools.PROVIDER] * 4 + [pools.NORTH])}
QUOTA_OF = {**PROVIDED, "location": one_of(["local"])}
IN_GROUP = {**PROVIDED, "resourceGroup": spelled(["plans"]), "displayName": TEXT}

OFFERINGS = [
    command("CreateComputeQuota", {**QUOTA_OF, "name": spelled(["small", "large"])}, **COMPUTE_LIMITS),
    command("CreateStorageQuota", {**QUOTA_OF, "name": spelled(["small", "large"])}, **STORAGE_LIMITS),
    command("CreateNetworkQuota", {**QUOTA_OF, "name": spelled(["small"])}, maxNicsPerSubscription=COUNT),
    command("CreateKeyVaultQuota", QUOTA_OF),
    command("UpdateComputeQuota", {"id": spelled(pools.quota_ids("compute"))}, **COMPUTE_LIMITS),
    command("UpdateStorageQuota", {"id": spelled(pools.quota_ids("storage"))}, **STORAGE_LIMITS),
    command("DeleteComputeQuota", {"id": spelled(pools.quota_ids("compute"))}),
    command("DeleteStorageQuota", {"id": QUOTA}),
    command("DeleteKeyVaultQuota", {"id": spelled(pools.quota_ids("key-vault"))}),
    command("CreatePlan", {**IN_GROUP, "name": spelled(["base", "more", "gold"]), "quotaIds": some(pools.QUOTAS)}),
    command("UpdatePlan", {"id": PLAN}, quotaIds=some(pools.QUOTAS), displayName=TEXT),
    command("DeletePlan", {"id": PLAN}),
    command(
        "CreateOffer",
        {**IN_GROUP, "name": spelled(["open", "closed"]), "basePlanIds": some(pools.PLAN_IDS, 2)},
        addonPlans=st.lists(ADDON, max_size=1),
        state=one_of(["Public", "Private"]),
        maxSubscriptionsPerAccount=COUNT,
    ),
    command("UpdateOffer", {"id": OFFER}, maxSubscriptionsPerAccount=COUNT, displayName=TEXT),
    command("ChangeOfferState", {"id": OFFER, "state": one_of(["Public", "Private", "Decommissioned"])}),
    command("LinkPlan", {"id": OFFER, "planId": PLAN}, planLinkType=one_of(["Base", "Addon"]), maxAcquisitionCount=SECONDS),
    command("UnlinkPlan", {"id": OFFER, "planId": PLAN}),
    command("DeleteOffer", {"id": OFFER}),
]

NEW_SUBSCRIPTION = {
    "subscriptionId": SUBSCRIPTION,
    "displayName": TEXT,
    "owner": USER_NAME,
    "tenantId": one_of([pools.TENANT]),
    "offerId": OFFER,
}
SUBSCRIPTIONS = [
    command("Subscribe", NEW_SUBSCRIPTION, delegatedProviderSubscriptionId=SUBSCRIPTION),
    command("CreateUserSubscription", NEW_SUBSCRIPTION),
    command("UpdateSubscription", OPERATED, owner=USER_NAME, displayName=TEXT),
    command("ChangeSubscriptionOffer", {**OPERATED, "offerId": OFFER}),
    command("MoveSubscription", {**OPERATED, "targetProviderSubscriptionId": SUBSCRIPTION}, offerId=OFFER),
    command("EnableSubscription", OPERATED),
    command("DisableSubscription", OPERATED),
    command("DeleteSubscription", OPERATED, cascade=BOOLEAN),
    command("FailSubscriptionDeletion", OPERATED),
    command("CompleteSubscriptionDeletion", OPERATED),
    command("AcquirePlan", {"subscriptionId": SUBSCRIPTION, "planId": PLAN, "acquisitionId": spelled(pools.ACQUISITIONS)}),
    command("AcquirePlan", {"subscriptionId": SUBSCRIPTION, "planId": PLAN, "acquisitionId": spelled(pools.ACQUISITIONS)}),
    command("ReleasePlan", {"id": spelled(pools.ACQUIRED_PLANS)}),
    command("CreateDelegatedProvider", {**PROVIDED, "subscriptionId": SUBSCRIPTION}),
    command("DeleteDelegatedProvider", {"id": spelled(pools.DELEGATED_PROVIDERS)}),
    command("DelegateOffer", {"offerId": OFFER, "subscriptionId": SUBSCRIPTION, "name": spelled(["resale"])}),
    command("EndOfferDelegation", {"id": spelled(pools.DELEGATIONS)}),
    command(
        "CreateResourceGroup",
        {"subscriptionId": SUBSCRIPTION, "name": spelled(["app", "data"]), "location": one_of(["local"])},
        tags=TAGS,
    ),
    command("TagResourceGroup", {"id": RESOURCE_GROUP, "tags": TAGS}),
    command("DeleteResourceGroup", {"id": RESOURCE_GROUP}, cascade=BOOLEAN),
]

NEW_VAULT = {"resourceGroupId": RESOURCE_GROUP, "name": spelled(pools.VAULT_NAMES), "location": one_of(["local"])}
PROTECTION = {"enableSoftDelete": BOOLEAN, "enablePurgeProtection": BOOLEAN, "softDeleteRetentionInDays": one_of([7, 90])}
VERSION = spelled([f"{secret}/versions/{pools.FIRST_VERSION_NAME}" for secret in pools.SECRETS[:2]])
VAULTS = [
    command("CreateVault", NEW_VAULT, **PROTECTION, accessPolicies=st.lists(st.fixed_dictionaries(ENTRY), max_size=3), tags=TAGS),
    command("UpdateVault", {"id": VAULT}, **PROTECTION, skuName=one_of(["standard", "premium"]), tags=TAGS),
    command("SetAccessPolicy", {"id": VAULT, **ENTRY}, applicationId=APPLICATION),
    command("RemoveAccessPolicy", {"id": VAULT, "objectId": PRINCIPAL}),
    command("DeleteVault", {"id": VAULT}),
    command("RecoverVault", {"id": VAULT}),
    command("PurgeVault", {"id": VAULT}),
    command(
        "SetSecret",
        {"vaultId": VAULT, "name": spelled(["db", "tls"]), "value": TEXT},
        nbf=SECONDS,
        exp=SECONDS,
        enabled=BOOLEAN,
        tags=TAGS,
    ),
    command("UpdateSecretAttributes", {"id": VERSION}, nbf=SECONDS, exp=SECONDS, enabled=BOOLEAN, contentType=TEXT),
    command("DeleteSecret", {"id": SECRET}),
    command("RecoverSecret", {"id": SECRET}),
    command("PurgeSecret", {"id": SECRET}),
    st.integers(1, 60).map(lambda days: ("wait", {"days": days})),
]

ROLE_FIELDS = {"permissions": PERMISSION_BLOCKS, "assignableScopes": ASSIGNABLE}
ROLE_NAME = spelled(["Custom 1", "Custom 2", "Reader"])
ASSIGNMENT = {"scopeId": SCOPE, "roleDefinitionId": ROLE, "principalId": PRINCIPAL, "name": spelled(pools.ASSIGNMENT_NAMES)}
POLICY_VALUES = st.dictionaries(one_of(["allowed", "allowed", "other"]), one_of([{"value": ["local"]}, {"value": ["west"]}]), max_size=1)
POLICY_PARAMETERS = one_of(
    [
        {"allowed": {"type": "Array"}},
        {"allowed": {"type": "Array", "defaultValue": ["local"], "allowedValues": [["local"], ["west"]]}},
        {"allowed": {"type": "Array", "allowedValues": [["west"]]}},
    ]
)
ROLES = [
    command("CreateManagementGroup", {"name": spelled(pools.MANAGEMENT_GROUP_NAMES)}, parent=MANAGEMENT_GROUP, displayName=TEXT),
    command("RenameManagementGroup", {"id": MANAGEMENT_GROUP, "displayName": TEXT}),
    command("MoveManagementGroup", {"id": MANAGEMENT_GROUP}, parent=MANAGEMENT_GROUP),
    command("DeleteManagementGroup", {"id": MANAGEMENT_GROUP}),
    command("AddSubscriptionToManagementGroup", {"managementGroupId": MANAGEMENT_GROUP, "subscriptionId": SUBSCRIPTION}),
    command("RemoveSubscriptionFromManagementGroup", {"managementGroupId": MANAGEMENT_GROUP, "subscriptionId": SUBSCRIPTION}),
    command("DefineRole", {"name": spelled(pools.ROLE_NAMES), "roleName": ROLE_NAME, **ROLE_FIELDS}, type=one_of(["BuiltInRole"])),
    command("UpdateRole", {"id": ROLE}, roleName=ROLE_NAME, **ROLE_FIELDS),
    command("DeleteRole", {"id": ROLE}),
    command("AssignRole", ASSIGNMENT),
    command("AssignRole", ASSIGNMENT),
    command("AssignRole", ASSIGNMENT),
    command("UnassignRole", {"id": spelled(pools.ROLE_ASSIGNMENTS)}),
    command(
        "DefinePolicy",
        {"name": spelled(["p1", "p2"]), "policyRule": one_of(RULES), "parameters": POLICY_PARAMETERS},
        scopeId=spelled(pools.POLICY_SCOPES),
        mode=one_of(["All", "Indexed"]),
    ),
    command("DeletePolicy", {"id": POLICY}),
    command(
        "AssignPolicy",
        {"name": spelled(["a1", "a2"]), "scopeId": SCOPE, "policyDefinitionId": POLICY},
        parameters=POLICY_VALUES,
    ),
    command("UnassignPolicy", {"id": spelled(pools.POLICY_ASSIGNMENTS)}),
]

AREAS = [IDENTITY, DEPLOYMENT, OFFERINGS, SUBSCRIPTIONS, SUBSCRIPTIONS, VAULTS, VAULTS, ROLES, ROLES]


def histories(least: int = 20, most: int = 60) -> st.SearchStrategy[list[Step]]:
    """Draw what happens after the founding."""
    step = one_of(AREAS).flatmap(one_of).flatmap(lambda drawn: drawn)
    return st.lists(step, min_size=least, max_size=most)
