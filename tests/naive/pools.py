"""The few names that random histories draw from, so that their commands meet, and the estate that they begin with."""

from tests.naive.world import Json

Step = tuple[str, Json]
"""A command and its arguments, or ("wait", {"days": n})."""


def guid(number: int) -> str:
    return f"{number:08d}-0000-4000-9000-abcdefabcdef"


def fresh_id(number: int) -> str:
    """Return the id that the domain's tests draw for the command of that number."""
    return f"00000000-0000-4000-8000-{number:012d}"


def user_name(number: int) -> str:
    return f"user-{number}@region.example"


OPERATOR = guid(10)
USERS = [guid(number) for number in (11, 12, 13)]
GROUPS = [guid(number) for number in (21, 22, 23)]
APPLICATIONS = [guid(number) for number in (31, 32)]
SERVICE_PRINCIPALS = [guid(number) for number in (41, 42)]
PRINCIPALS = [OPERATOR, *USERS, *GROUPS, *SERVICE_PRINCIPALS]
USER_NAMES = ["operator-1@region.example", *map(user_name, (1, 2, 3))]
KEYS = [guid(number) for number in (51, 52)]
TENANT = guid(60)

PROVIDER, NORTH, SOUTH, EAST, NOWHERE = (guid(number) for number in (70, 71, 72, 73, 79))
SUBSCRIPTIONS = [PROVIDER, NORTH, SOUTH, EAST]
SUBSCRIPTION_IDS = [f"/subscriptions/{subscription}" for subscription in SUBSCRIPTIONS]

PLANS_GROUP = f"/subscriptions/{PROVIDER}/resourceGroups/plans"
GROUP_IDS = [PLANS_GROUP, *(f"/subscriptions/{s}/resourceGroups/{g}" for s in (NORTH, SOUTH) for g in ("app", "data"))]
MACHINE = f"{GROUP_IDS[1]}/providers/Microsoft.Compute/virtualMachines/vm-1"

QUOTA_NAMES = {
    "compute": ("Microsoft.Compute.Admin", ("small", "large")),
    "network": ("Microsoft.Network.Admin", ("small",)),
    "storage": ("Microsoft.Storage.Admin", ("small", "large")),
    "key-vault": ("Microsoft.KeyVault.Admin", ("Unlimited",)),
}


def quota_ids(service: str) -> list[str]:
    namespace, names = QUOTA_NAMES[service]
    return [f"/subscriptions/{PROVIDER}/providers/{namespace}/locations/local/quotas/{name}" for name in names]


QUOTAS = [quota for service in QUOTA_NAMES for quota in quota_ids(service)]
PLAN_IDS = [f"{PLANS_GROUP}/providers/Microsoft.Subscriptions.Admin/plans/{name}" for name in ("base", "more", "gold")]
OFFER_IDS = [f"{PLANS_GROUP}/providers/Microsoft.Subscriptions.Admin/offers/{name}" for name in ("open", "closed")]
ACQUISITIONS = [guid(number) for number in (81, 82, 83)]
ACQUIRED_PLANS = [
    f"/subscriptions/{subscription}/providers/Microsoft.Subscriptions.Admin/acquiredPlans/{acquisition}"
    for subscription in (NORTH, SOUTH)
    for acquisition in ACQUISITIONS
]
DELEGATED_PROVIDERS = [
    f"/subscriptions/{PROVIDER}/providers/Microsoft.Subscriptions.Admin/delegatedProviders/{s}" for s in (NORTH, SOUTH)
]
DELEGATIONS = [f"{offer}/offerDelegations/resale" for offer in OFFER_IDS]

VAULT_NAMES = ["vault-a", "vault-b", "vault-c"]
VAULTS = [f"{group}/providers/Microsoft.KeyVault/vaults/{name}" for group in GROUP_IDS[1:4] for name in VAULT_NAMES]
SECRETS = [f"{vault}/secrets/{name}" for vault in VAULTS[:3] for name in ("db", "tls")]

MANAGEMENT_GROUP_NAMES = [f"level-{number}" for number in range(1, 9)]
MANAGEMENT_GROUPS = [f"/providers/Microsoft.Management/managementGroups/{name}" for name in MANAGEMENT_GROUP_NAMES]

AUTHORIZATION = "providers/Microsoft.Authorization"
OWNER, CONTRIBUTOR, READER = (
    f"/{AUTHORIZATION}/roleDefinitions/{name}"
    for name in (
        "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
        "b24988ac-6180-42a0-ab88-20f7382dd24c",
        "acdd72a7-3385-48ef-bd42-f606fba81ae7",
    )
)
ROLE_NAMES = [guid(number) for number in (91, 92)]
ROLES = [OWNER, CONTRIBUTOR, READER, *(f"/{AUTHORIZATION}/roleDefinitions/{name}" for name in ROLE_NAMES)]
SCOPES = ["/", *MANAGEMENT_GROUPS[:3], *SUBSCRIPTION_IDS[:3], *GROUP_IDS[:3], MACHINE, VAULTS[0], SECRETS[0]]
NO_SCOPES = [f"{GROUP_IDS[1]}/providers/Microsoft.Compute", f"{SUBSCRIPTION_IDS[1]}/resourceGroups"]
ASSIGNMENT_NAMES = [guid(number) for number in (95, 96)]
ROLE_ASSIGNMENTS = [f"/{AUTHORIZATION}/roleAssignments/{guid(90)}"] + [
    f"{scope.rstrip('/')}/{AUTHORIZATION}/roleAssignments/{name}" for scope in SCOPES for name in ASSIGNMENT_NAMES
]
POLICY_SCOPES = ["/", MANAGEMENT_GROUPS[0], SUBSCRIPTION_IDS[1]]
POLICIES = [
    f"{scope.rstrip('/')}/{AUTHORIZATION}/policyDefinitions/{name}" for scope in POLICY_SCOPES for name in ("p1", "p2")
]
POLICY_ASSIGNMENTS = [
    f"{scope.rstrip('/')}/{AUTHORIZATION}/policyAssignments/{name}" for scope in SCOPES[:8] for name in ("a1", "a2")
]

CERTIFICATE = (
    "MIIBNTCB3KADAgECAgISZzAKBggqhkjOPQQDAjAjMSEwHwYDVQQDDBhzaWduaW5nLmN1c3RvbWVyLmV4YW1wbGUwIBcNMjYwMTAxMDAwMDAwWh"
    "gPMjEyNjAxMDEwMDAwMDBaMCMxITAfBgNVBAMMGHNpZ25pbmcuY3VzdG9tZXIuZXhhbXBsZTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABLUf"
    "VKr5CEr6m/TLF1cLj1HqxbOjhkBABxY233SNgvM9yn1p+BjEb33ZGyOSuf0JiqH1DAY5pzBBZJI5hzpzapswCgYIKoZIzj0EAwIDSAAwRQIhAK"
    "ReF6BdLkJlida2kLbUFO7+oAmZWRaOCjmBUiqmdr/AAiAzcgoBeHdXIZuW/DzSuSIGksYwcwTqYsbUN8/1jTVyUA=="
)
"""A self-signed certificate of `CN=signing.customer.example`, valid from 2026 to 2126."""

INPUTS: Json = {
    "region": "east",
    "externalDomainName": "cloud.example",
    "networks": {
        "publicVip": "192.0.2.0/24",
        "switchInfrastructure": "10.0.1.0/26",
        "infrastructure": "10.0.2.0/24",
        "bmc": "10.0.3.0/26",
        "switchManagement": "10.0.4.0/29",
    },
    "timeServer": "10.0.9.1",
    "identityStore": "ADFS",
    "nodes": [{"name": "node-1"}, {"name": "node-2"}],
}


def _built_in(role_id: str, role_name: str, actions: list[str], not_actions: list[str]) -> Step:
    permissions = [{"actions": actions, "notActions": not_actions}]
    role = {"name": role_id.split("/")[-1], "roleName": role_name, "type": "BuiltInRole", "assignableScopes": ["/"]}
    return "DefineRole", {**role, "description": role_name, "permissions": permissions}


INSTALLATION: list[Step] = [
    ("CreateDeployment", {"inputs": INPUTS, "deploymentId": guid(1), "epoch": guid(2), "release": "1.0"}),
    _built_in(OWNER, "Owner", ["*"], []),
    _built_in(
        CONTRIBUTOR,
        "Contributor",
        ["*"],
        [
            "Microsoft.Authorization/*/Delete",
            "Microsoft.Authorization/*/Write",
            "Microsoft.Authorization/elevateAccess/Action",
        ],
    ),
    _built_in(READER, "Reader", ["*/read"], []),
    (
        "CreateUser",
        {"userPrincipalName": USER_NAMES[0], "displayName": "Operator", "objectId": OPERATOR, "password": "first"},
    ),
    ("AssignRole", {"scopeId": "/", "roleDefinitionId": OWNER, "principalId": OPERATOR, "name": guid(90)}),
    ("CreateProviderSubscription", {"subscriptionId": PROVIDER, "owner": USER_NAMES[0], "tenantId": TENANT}),
]
"""What a clean installation records."""

_PROVIDED = {"providerSubscriptionId": PROVIDER, "resourceGroup": "plans"}
_QUOTA = {"providerSubscriptionId": PROVIDER, "location": "local"}
_SUBSCRIPTION = {"displayName": "A subscription", "tenantId": TENANT, "offerId": OFFER_IDS[0]}

ESTATE: list[Step] = [
    *(
        ("CreateUser", {"userPrincipalName": name, "displayName": name, "objectId": user, "password": "p"})
        for name, user in zip(USER_NAMES[1:3], USERS, strict=False)
    ),
    ("CreateGroup", {"displayName": "Team", "objectId": GROUPS[0]}),
    ("CreateGroup", {"displayName": "All teams", "objectId": GROUPS[1]}),
    ("AddGroupMember", {"groupId": GROUPS[0], "memberId": USERS[0]}),
    ("AddGroupMember", {"groupId": GROUPS[1], "memberId": GROUPS[0]}),
    ("CreateApplication", {"displayName": "Agent", "appId": APPLICATIONS[0]}),
    ("CreateServicePrincipal", {"appId": APPLICATIONS[0], "objectId": SERVICE_PRINCIPALS[0]}),
    ("CreateResourceGroup", {"subscriptionId": PROVIDER, "name": "plans", "location": "local"}),
    ("CreateComputeQuota", {**_QUOTA, "name": "small", "virtualMachineCount": 5, "coresLimit": 20}),
    ("CreateStorageQuota", {**_QUOTA, "name": "small"}),
    ("CreateKeyVaultQuota", _QUOTA),
    ("CreatePlan", {**_PROVIDED, "name": "base", "displayName": "Base", "quotaIds": [QUOTAS[0], QUOTAS[3], QUOTAS[5]]}),
    ("CreatePlan", {**_PROVIDED, "name": "more", "displayName": "More", "quotaIds": [QUOTAS[0]]}),
    (
        "CreateOffer",
        {
            **_PROVIDED,
            "name": "open",
            "displayName": "Open",
            "state": "Public",
            "basePlanIds": [PLAN_IDS[0]],
            "addonPlans": [{"planId": PLAN_IDS[1], "maxAcquisitionCount": 2}],
        },
    ),
    ("Subscribe", {**_SUBSCRIPTION, "owner": USER_NAMES[1], "subscriptionId": NORTH}),
    ("Subscribe", {**_SUBSCRIPTION, "owner": USER_NAMES[2], "subscriptionId": SOUTH}),
    ("CreateDelegatedProvider", {"providerSubscriptionId": PROVIDER, "subscriptionId": SOUTH}),
    ("DelegateOffer", {"offerId": OFFER_IDS[0], "subscriptionId": SOUTH, "name": "resale"}),
    (
        "Subscribe",
        {**_SUBSCRIPTION, "owner": USER_NAMES[1], "subscriptionId": EAST, "delegatedProviderSubscriptionId": SOUTH},
    ),
    ("CreateResourceGroup", {"subscriptionId": NORTH, "name": "app", "location": "local"}),
    ("CreateVault", {"resourceGroupId": GROUP_IDS[1], "name": "vault-a", "location": "local"}),
    (
        "CreateVault",
        {
            "resourceGroupId": GROUP_IDS[1],
            "name": "vault-b",
            "location": "local",
            "enablePurgeProtection": True,
            "accessPolicies": [{"objectId": f"S-1-5-{n}", "permissions": {"secrets": ["get"]}} for n in range(15)],
        },
    ),
    ("SetAccessPolicy", {"id": VAULTS[0], "objectId": GROUPS[1], "permissions": {"secrets": ["get", "set"]}}),
    ("SetSecret", {"vaultId": VAULTS[0], "name": "db", "value": "v"}),
    ("CreateManagementGroup", {"name": "level-1"}),
    *(
        ("CreateManagementGroup", {"name": name, "parent": above})
        for name, above in zip(MANAGEMENT_GROUP_NAMES[1:6], MANAGEMENT_GROUPS, strict=False)
    ),
    ("AddSubscriptionToManagementGroup", {"managementGroupId": MANAGEMENT_GROUPS[1], "subscriptionId": NORTH}),
    ("AssignRole", {"scopeId": MANAGEMENT_GROUPS[0], "roleDefinitionId": READER, "principalId": GROUPS[1]}),
]
"""A small estate, so that random commands find something."""

FOUNDING = [*INSTALLATION, *ESTATE]
