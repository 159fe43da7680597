"""The last hour of an estate before its disaster: changes that no backup saw."""

from scripts.estate import access, vaults
from scripts.estate.draft import REGION, Draft, upn


def go_on(draft: Draft) -> None:
    """Write a few changes, among them ones to resources that are in the backups."""
    reason = "the last hour"
    for number in range(1, draft.count(12, least=2) + 1):
        engineer = draft.guid(f"user/newcomer-{number}")
        draft.add("CreateUser", reason, objectId=engineer, userPrincipalName=upn(f"newcomer-{number}"),
                  displayName=f"Newcomer {number}", claimsProviderTrust="head-office")  # fmt: skip
        draft.add("AddGroupMember", reason, groupId=draft.teams[0], memberId=engineer)
        access.assign(draft, engineer, access.role_id(access.READER), draft.subscriptions[1].id, reason)
    first, *others = draft.subscriptions
    draft.add("CreateResourceGroup", reason, subscriptionId=first.guid, name="last-hour", location=REGION)
    draft.add("SetPassword", reason, objectId=draft.guid("user/tenant-3"), password=draft.password("tenant-3-reset"))
    vault = vaults.vaults(draft)[0]
    vaults.set_secret(draft, vault, vaults.LANDMARK_SECRET, reason, edition=4)
    for subscription in draft.some(others, 3):
        tags = {"environment": "production", "cost-center": "9999"}
        draft.add("TagResourceGroup", reason, id=subscription.resource_group_id("main"), tags=tags)
