"""Random histories of commands, legal and illegal ones, over the few names of `tests.naive.pools`."""

import pickle
from collections.abc import Iterator, Sequence
from functools import cache

from hypothesis import strategies as st

from tests.naive import pools
from tests.naive.draws import Chance, command, one_of, record, some, spelled
from tests.naive.model import Model
from tests.naive.pools import Step
from tests.naive.world import Json

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
    {"if": {"field": "location", "equals": "local"}},
]
PERMISSIONS: Sequence[Json] = [
    {"actions": ["Microsoft.Compute/*"], "notActions": ["Microsoft.Compute/*/delete"]},
    {"actions": ["*/read"]},
    {"actions": ["microsoft.compute/virtualMachines/DELETE"]},
    {"actions": ["*"], "condition": "@Resource[name] StringEquals 'x'", "conditionVersion": "2.0"},
    {"dataActions": ["Microsoft.Storage/*/read"], "notDataActions": ["Microsoft.Storage/queues/read"]},
]


TEXT = one_of(["first", "second", "SECOND"])
BOOLEAN = one_of([True, False])
COUNT = one_of([0, 1, 2, 3])
SECONDS = one_of([1, 2, 3])

USER = spelled([*pools.USERS, pools.GROUPS[2]])
GROUP = spelled(pools.GROUPS)
SERVICE_PRINCIPAL = spelled(pools.SERVICE_PRINCIPALS)
PRINCIPAL = spelled(pools.PRINCIPALS)
USER_NAME = spelled(pools.USER_NAMES)
APPLICATION = spelled(pools.APPLICATIONS)
SUBSCRIPTION = spelled([*pools.SUBSCRIPTIONS, pools.NOWHERE])
QUOTA = spelled(pools.QUOTAS, *(f"{service}-quota" for service in pools.QUOTA_NAMES))
PLAN = spelled(pools.PLAN_IDS, "plan")
OFFER = spelled(pools.OFFER_IDS, "offer")
RESOURCE_GROUP = spelled(pools.GROUP_IDS, "resource-group")
VAULT = spelled(pools.VAULTS, "vault")
SECRET = spelled(pools.SECRETS, "secret")
MANAGEMENT_GROUP = spelled(pools.MANAGEMENT_GROUPS, "management-group")
SCOPE = spelled([*pools.SCOPES * 3, *pools.NO_SCOPES])
ROLE = spelled(pools.ROLES, "role-definition")
POLICY = spelled(pools.POLICIES, "policy-definition")
TAGS = record({}, owner=TEXT, cost=TEXT)
ENTRY = {
    "objectId": PRINCIPAL,
    "permissions": record({"secrets": some(one_of(["get", "list", "set", "delete"]))}),
}
PERMISSION_BLOCKS = some(one_of(PERMISSIONS), 2, least=1)
ASSIGNABLE = some(SCOPE, 2, least=1)
COMPUTE_LIMITS = {"virtualMachineCount": COUNT, "coresLimit": COUNT}
STORAGE_LIMITS = {"capacityInGb": COUNT, "numberOfStorageAccounts": COUNT}
ADDON = record({"planId": PLAN}, maxAcquisitionCount=SECONDS)
OPERATED = {"providerSubscriptionId": spelled([pools.PROVIDER] * 4 + [pools.SOUTH]), "subscriptionId": SUBSCRIPTION}


IDENTITY = [
    command(
        "CreateUser",
        {"userPrincipalName": USER_NAME, "displayName": TEXT, "objectId": USER},
        password=TEXT,
        claimsProviderTrust=one_of(["customer"]),
        accountEnabled=BOOLEAN,
    ),
    command(
        "UpdateUser",
        {"objectId": USER},
        userPrincipalName=USER_NAME,
        claimsProviderTrust=one_of(["customer"]),
        mail=TEXT,
    ),
    command("SetPassword", {"objectId": USER, "password": TEXT}),
    command("EnableUser", {"objectId": USER}),
    command("DisableUser", {"objectId": USER}),
    command("DeleteUser", {"objectId": spelled([pools.OPERATOR, *pools.USERS])}, force=BOOLEAN),
    command("CreateGroup", {"displayName": TEXT, "objectId": spelled([*pools.GROUPS, pools.USERS[2]])}),
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
    command(
        "AddPasswordCredential",
        {
            "appId": APPLICATION,
            "secretText": TEXT,
            "startDateTime": one_of(["2020-01-01T00:00:00.000000Z", "2098-01-01T00:00:00.000000Z"]),
            "endDateTime": one_of(["2021-01-01T00:00:00.000000Z", "2099-01-01T00:00:00.000000Z"]),
        },
    ),
    command("RemovePasswordCredential", {"appId": APPLICATION, "keyId": spelled(pools.KEYS)}),
    command("CreateServicePrincipal", {"appId": APPLICATION, "objectId": SERVICE_PRINCIPAL}, displayName=TEXT),
    command("EnableServicePrincipal", {"objectId": SERVICE_PRINCIPAL}),
    command("DisableServicePrincipal", {"objectId": SERVICE_PRINCIPAL}),
    command("DeleteServicePrincipal", {"objectId": SERVICE_PRINCIPAL}, force=BOOLEAN),
    command(
        "CreateClaimsProviderTrust",
        {"name": one_of(["customer", "CUSTOMER"]), "certificates": one_of([[pools.CERTIFICATE]])},
        metadataUrl=one_of(["https://adfs.customer.example/metadata"]),
        metadataDocument=TEXT,
    ),
    command("UpdateClaimsProviderTrust", {"name": one_of(["customer"])}, metadataDocument=TEXT, claimRules=TEXT),
    command("DeleteClaimsProviderTrust", {"name": one_of(["customer"])}),
]


def changed_inputs(chance: Chance) -> Json:
    """Draw deployment inputs: most of them legal changes."""
    region, network = chance.choice([("east", "10.0.3.0/26")] * 2 + [("west", "10.0.3.0/26"), ("east", "10.0.2.0/26")])
    networks = {**pools.INPUTS["networks"], "bmc": network}
    return {
        **pools.INPUTS,
        "timeServer": chance.choice(["10.0.9.1", "10.0.9.2"]),
        "region": region,
        "networks": networks,
    }


DEPLOYMENT = [
    command(
        "ChangeDeploymentInputs",
        {"inputs": changed_inputs},
    ),
    command(
        "RegisterResourceProvider",
        {"namespace": one_of(["Contoso.Db"]), "displayName": TEXT, "restoredBy": one_of(["ByHand"])},
    ),
    command("UpdateResourceProvider", {"namespace": spelled(["Contoso.Db"])}, enabled=BOOLEAN),
    command("UnregisterResourceProvider", {"namespace": spelled(["Contoso.Db"])}),
]

PROVIDED = {"providerSubscriptionId": spelled([pools.PROVIDER] * 8 + [pools.NORTH, pools.NOWHERE])}
QUOTA_OF = {**PROVIDED, "location": one_of(["local"])}
IN_GROUP = {**PROVIDED, "resourceGroup": spelled(["plans"]), "displayName": TEXT}

OFFERINGS = [
    command("CreateComputeQuota", {**QUOTA_OF, "name": spelled(["small", "large"])}, **COMPUTE_LIMITS),
    command("CreateStorageQuota", {**QUOTA_OF, "name": spelled(["small", "large"])}, **STORAGE_LIMITS),
    command("CreateNetworkQuota", {**QUOTA_OF, "name": spelled(["small"])}, maxNicsPerSubscription=COUNT),
    command("CreateKeyVaultQuota", QUOTA_OF),
    command("UpdateNetworkQuota", {"id": QUOTA}, maxVnetsPerSubscription=COUNT),
    command("DeleteNetworkQuota", {"id": QUOTA}),
    command("UpdateComputeQuota", {"id": spelled(pools.quota_ids("compute"))}, **COMPUTE_LIMITS),
    command("UpdateStorageQuota", {"id": spelled(pools.quota_ids("storage"))}, **STORAGE_LIMITS),
    command("DeleteComputeQuota", {"id": spelled(pools.quota_ids("compute"))}),
    command("DeleteStorageQuota", {"id": QUOTA}),
    command("DeleteKeyVaultQuota", {"id": spelled(pools.quota_ids("key-vault"))}),
    command("CreatePlan", {**IN_GROUP, "name": spelled(["base", "more", "gold"]), "quotaIds": some(QUOTA)}),
    command("UpdatePlan", {"id": PLAN}, quotaIds=some(QUOTA), displayName=TEXT),
    command("DeletePlan", {"id": PLAN}),
    command(
        "CreateOffer",
        {**IN_GROUP, "name": spelled(["open", "closed"]), "basePlanIds": some(PLAN, 2)},
        addonPlans=some(ADDON, 1),
        state=one_of(["Public", "Private"]),
        maxSubscriptionsPerAccount=COUNT,
    ),
    command("UpdateOffer", {"id": OFFER}, maxSubscriptionsPerAccount=COUNT, displayName=TEXT),
    command("ChangeOfferState", {"id": OFFER, "state": one_of(["Public", "Private", "Decommissioned"])}),
    command(
        "LinkPlan", {"id": OFFER, "planId": PLAN}, planLinkType=one_of(["Base", "Addon"]), maxAcquisitionCount=SECONDS
    ),
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
    command(
        "AcquirePlan", {"subscriptionId": SUBSCRIPTION, "planId": PLAN, "acquisitionId": spelled(pools.ACQUISITIONS)}
    ),
    command(
        "AcquirePlan", {"subscriptionId": SUBSCRIPTION, "planId": PLAN, "acquisitionId": spelled(pools.ACQUISITIONS)}
    ),
    command("ReleasePlan", {"id": spelled(pools.ACQUIRED_PLANS, "acquired-plan")}),
    command("CreateDelegatedProvider", {**PROVIDED, "subscriptionId": SUBSCRIPTION}),
    command("DeleteDelegatedProvider", {"id": spelled(pools.DELEGATED_PROVIDERS, "delegated-provider")}),
    command("DelegateOffer", {"offerId": OFFER, "subscriptionId": SUBSCRIPTION, "name": spelled(["resale"])}),
    command("EndOfferDelegation", {"id": spelled(pools.DELEGATIONS, "offer-delegation")}),
    command(
        "CreateResourceGroup",
        {"subscriptionId": SUBSCRIPTION, "name": spelled(["app", "data"]), "location": one_of(["local"])},
        tags=TAGS,
    ),
    command("TagResourceGroup", {"id": RESOURCE_GROUP, "tags": TAGS}),
    command("DeleteResourceGroup", {"id": RESOURCE_GROUP}, cascade=BOOLEAN),
]

NEW_VAULT = {"resourceGroupId": RESOURCE_GROUP, "name": spelled(pools.VAULT_NAMES), "location": one_of(["local"])}
PROTECTION = {
    "enableSoftDelete": BOOLEAN,
    "enablePurgeProtection": BOOLEAN,
    "softDeleteRetentionInDays": one_of([7, 90]),
}
VERSION = spelled([f"{secret}/versions/{0:032x}" for secret in pools.SECRETS[:2]], "secret-version")
VAULTS = [
    command("CreateVault", NEW_VAULT, **PROTECTION, accessPolicies=some(record(ENTRY)), tags=TAGS),
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
    command("wait", {"days": one_of([1, 7, 30, 90])}),
]

ROLE_FIELDS = {"permissions": PERMISSION_BLOCKS, "assignableScopes": ASSIGNABLE}
ROLE_NAME = spelled(["Custom 1", "Custom 2", "Reader"])
ASSIGNMENT = {
    "scopeId": SCOPE,
    "roleDefinitionId": ROLE,
    "principalId": PRINCIPAL,
    "name": spelled(pools.ASSIGNMENT_NAMES),
}
POLICY_VALUES = one_of(
    [{"allowed": {"value": ["local"]}}, {"allowed": {"value": ["west"]}}, {"other": {"value": 1}}, {}]
)
POLICY_PARAMETERS = one_of(
    [
        {"allowed": {"type": "Array"}},
        {"allowed": {"type": "Array", "defaultValue": ["local"], "allowedValues": [["local"], ["west"]]}},
        {"allowed": {"type": "Array", "allowedValues": [["west"]]}},
    ]
)
ROLES = [
    command(
        "CreateManagementGroup",
        {"name": spelled(pools.MANAGEMENT_GROUP_NAMES)},
        parent=MANAGEMENT_GROUP,
        displayName=TEXT,
    ),
    command("CreateManagementGroup", {"name": spelled(pools.MANAGEMENT_GROUP_NAMES), "parent": MANAGEMENT_GROUP}),
    command("RenameManagementGroup", {"id": MANAGEMENT_GROUP, "displayName": TEXT}),
    command("MoveManagementGroup", {"id": MANAGEMENT_GROUP}, parent=MANAGEMENT_GROUP),
    command("DeleteManagementGroup", {"id": MANAGEMENT_GROUP}),
    command(
        "AddSubscriptionToManagementGroup", {"managementGroupId": MANAGEMENT_GROUP, "subscriptionId": SUBSCRIPTION}
    ),
    command(
        "RemoveSubscriptionFromManagementGroup", {"managementGroupId": MANAGEMENT_GROUP, "subscriptionId": SUBSCRIPTION}
    ),
    command(
        "DefineRole",
        {"name": spelled(pools.ROLE_NAMES), "roleName": ROLE_NAME, **ROLE_FIELDS},
        type=one_of(["BuiltInRole"]),
        scopeId=SCOPE,
    ),
    command("UpdateRole", {"id": ROLE}, roleName=ROLE_NAME, **ROLE_FIELDS),
    command("DeleteRole", {"id": ROLE}),
    command("AssignRole", ASSIGNMENT),
    command("AssignRole", ASSIGNMENT),
    command("AssignRole", ASSIGNMENT),
    command("UnassignRole", {"id": spelled(pools.ROLE_ASSIGNMENTS, "role-assignment")}),
    command(
        "DefinePolicy",
        {"name": spelled(["p1", "p2"]), "policyRule": one_of(RULES), "parameters": POLICY_PARAMETERS},
        scopeId=spelled([*pools.POLICY_SCOPES, pools.GROUP_IDS[1]]),
        mode=one_of(["All", "Indexed"]),
    ),
    command("DeletePolicy", {"id": POLICY}),
    command(
        "AssignPolicy",
        {"name": spelled(["a1", "a2"]), "scopeId": SCOPE, "policyDefinitionId": POLICY},
        parameters=POLICY_VALUES,
    ),
    command("UnassignPolicy", {"id": spelled(pools.POLICY_ASSIGNMENTS, "policy-assignment")}),
]

COMMANDS = [*IDENTITY, *DEPLOYMENT, *OFFERINGS, *SUBSCRIPTIONS, *VAULTS, *ROLES]


@cache
def _founded() -> bytes:
    model = Model()
    for number, (name, arguments) in enumerate(pools.FOUNDING, 1):
        model.do(name, arguments, pools.fresh_id(number))
    return pickle.dumps(model)


def _steps(chance: Chance) -> Iterator[Step]:
    """Yield steps without end; most are drawn until the naive model accepts or refuses them, as it was wanted."""
    number = len(pools.FOUNDING) + 1
    commands = chance.sample(COMMANDS, chance.choice([20, 40, 80]))  # few kinds of commands meet each other more often
    while True:
        tries, wanted = chance.choice([(24, True)] * 3 + [(6, False)])
        for attempt in range(tries):
            if attempt % 6 == 0:
                draw = chance.choice(commands)
            step: Step = draw(chance)
            if step[0] == "wait":
                chance.model.after_days(step[1]["days"])
                break
            if chance.model.do(*step, pools.fresh_id(number)) == wanted:
                break
        number += step[0] != "wait"
        yield step


@st.composite
def histories(draw: st.DrawFn, most: int = 80) -> list[Step]:
    """Draw what happens after the founding; a history that shows a defect shrinks to the steps that it takes."""
    chance = Chance(draw(st.integers(0, 2**24 - 1)), pickle.loads(_founded()))
    kept = draw(st.binary(min_size=most, max_size=most))
    return [step for step, is_kept in zip(_steps(chance), kept, strict=False) if is_kept]
