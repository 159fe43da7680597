"""Naive identity and federation: users, groups, applications, service principals, trusts."""

from typing import Any

from tests.naive.world import Json, World, given, must, same

PRINCIPALS = ("user", "group", "service-principal")


def principal_id(object_id: str) -> str:
    return f"/providers/Microsoft.Graph/directoryObjects/{object_id}"


def application_id(app_id: str) -> str:
    return f"/providers/Microsoft.Graph/applications/{app_id}"


def trust_id(name: str) -> str:
    return f"/providers/Resurgam.Federation/claimsProviderTrusts/{name}"


def need_principal(world: World, object_id: str) -> Json:
    found = world.resources.get(principal_id(object_id).lower())
    must(found is not None and found["kind"] in PRINCIPALS, "the principal exists")
    assert found is not None
    return found


def groups_of(world: World, object_id: str) -> set[str]:
    """Return the principal and all groups that it is in, at any depth, as object ids in lower case."""
    found = {object_id.lower()}
    while True:
        above = {m["groupId"].lower() for m in world.all("group-membership") if m["memberId"].lower() in found}
        if above <= found:
            return found
        found |= above


def create_user(world: World, a: Json, fresh: str) -> None:
    object_id = a.get("objectId", fresh)
    must(("password" in a) != ("claimsProviderTrust" in a), "there is exactly one way to log in")
    must(not world.where("user", userPrincipalName=a["userPrincipalName"]), "the name is free")
    fields = given(a, "userPrincipalName", "displayName", "givenName", "surname", "mail")
    if "claimsProviderTrust" in a:
        fields["claimsProviderTrust"] = world.need("claims-provider-trust", trust_id(a["claimsProviderTrust"]))["name"]
    fields |= {"objectId": object_id, "accountEnabled": a.get("accountEnabled", True)}
    world.create("user", principal_id(object_id), fields)


def update_user(world: World, a: Json, fresh: str) -> None:
    user = world.need("user", principal_id(a["objectId"]))
    if "userPrincipalName" in a:
        holders = world.where("user", userPrincipalName=a["userPrincipalName"])
        must(holders in ([], [user]), "a new name is free")
        if not same(a["userPrincipalName"], user["userPrincipalName"]):
            must_own_nothing(world, user)
    if "claimsProviderTrust" in a:
        must("claimsProviderTrust" in user, "only a federated user can be given another trust")
        world.need("claims-provider-trust", trust_id(a["claimsProviderTrust"]))
    user |= given(a, "userPrincipalName", "displayName", "givenName", "surname", "mail", "claimsProviderTrust")


def must_own_nothing(world: World, principal: Json) -> None:
    names = [s["owner"] for s in world.all("subscription") if s["state"] != "Deleted"]
    must(not any(same(name, principal.get("userPrincipalName")) for name in names), "who owns a subscription stays")


def set_password(world: World, a: Json, fresh: str) -> None:
    user = world.need("user", principal_id(a["objectId"]))
    must("claimsProviderTrust" not in user, "the user has a password here")


def enable_user(world: World, a: Json, fresh: str) -> None:
    world.need("user", principal_id(a["objectId"]))["accountEnabled"] = True


def disable_user(world: World, a: Json, fresh: str) -> None:
    world.need("user", principal_id(a["objectId"]))["accountEnabled"] = False


def delete_principal(world: World, kind: str, a: Json) -> None:
    """Delete a principal with its memberships, and with `force` its role assignments and access policies."""
    principal = world.need(kind, principal_id(a["objectId"]))
    assignments = world.where("role-assignment", principalId=a["objectId"])
    policies = [(v, p) for v in world.all("vault") for p in v["accessPolicies"] if same(p["objectId"], a["objectId"])]
    must(a.get("force") or not (assignments or policies), "a principal that is deleted has no rights")
    must_own_nothing(world, principal)
    for vault, policy in policies:
        vault["accessPolicies"].remove(policy)
    world.delete(assignments)
    world.delete(world.where("group-membership", memberId=a["objectId"]))
    world.delete(world.where("group-membership", groupId=a["objectId"]))
    world.delete([principal])


def create_group(world: World, a: Json, fresh: str) -> None:
    object_id = a.get("objectId", fresh)
    fields = given(a, "displayName", "description", "securityIdentifier")
    world.create("group", principal_id(object_id), {**fields, "objectId": object_id})


def update_group(world: World, a: Json, fresh: str) -> None:
    group = world.need("group", principal_id(a["objectId"]))
    group |= given(a, "displayName", "description", "securityIdentifier")


def membership_id(a: Json) -> str:
    return f"{principal_id(a['groupId'])}/members/{a['memberId']}"


def add_group_member(world: World, a: Json, fresh: str) -> None:
    group = world.need("group", principal_id(a["groupId"]))
    member = need_principal(world, a["memberId"])
    if world.get("group-membership", membership_id(a)) is None:
        must(
            member["objectId"].lower() not in groups_of(world, group["objectId"]),
            "no group is a member of itself, at any depth",
        )
        fields = {"groupId": group["objectId"], "memberId": member["objectId"]}
        world.create("group-membership", membership_id(a), fields)


def remove_group_member(world: World, a: Json, fresh: str) -> None:
    world.need("group", principal_id(a["groupId"]))
    world.delete([world.need("group-membership", membership_id(a))])


def create_application(world: World, a: Json, fresh: str) -> None:
    app_id = a.get("appId", fresh)
    world.create("application", application_id(app_id), {"appId": app_id, "displayName": a["displayName"]})


def update_application(world: World, a: Json, fresh: str) -> None:
    application = world.need("application", application_id(a["appId"]))
    application |= given(a, "displayName")


def delete_application(world: World, a: Json, fresh: str) -> None:
    application = world.need("application", application_id(a["appId"]))
    must(not world.where("service-principal", appId=a["appId"]), "no service principal stands for the application")
    world.delete(world.inside("password-credential", application["id"]))
    world.delete([application])


def add_password_credential(world: World, a: Json, fresh: str) -> None:
    application = world.need("application", application_id(a["appId"]))
    key_id = a.get("keyId", fresh)
    start, end = a.get("startDateTime", world.text()), a.get("endDateTime")
    if end is None:
        assert "startDateTime" not in a, "the histories give both, the end alone, or none"
        end = world.text(days=730)
    must(end > start, "a credential ends after it starts")
    must(end > world.text(), "a credential has not expired")
    fields = given(a, "displayName", "hint")
    fields |= {"appId": application["appId"], "keyId": key_id, "startDateTime": start, "endDateTime": end}
    world.create("password-credential", f"{application['id']}/passwordCredentials/{key_id}", fields)


def remove_password_credential(world: World, a: Json, fresh: str) -> None:
    credential = f"{application_id(a['appId'])}/passwordCredentials/{a['keyId']}"
    world.delete([world.need("password-credential", credential)])


def create_service_principal(world: World, a: Json, fresh: str) -> None:
    application = world.need("application", application_id(a["appId"]))
    must(not world.where("service-principal", appId=a["appId"]), "an application has one service principal")
    object_id = a.get("objectId", fresh)
    fields = {
        "objectId": object_id,
        "appId": application["appId"],
        "displayName": a.get("displayName", application["displayName"]),
        "accountEnabled": a.get("accountEnabled", True),
    }
    world.create("service-principal", principal_id(object_id), fields)


def enable_service_principal(world: World, a: Json, fresh: str) -> None:
    world.need("service-principal", principal_id(a["objectId"]))["accountEnabled"] = True


def disable_service_principal(world: World, a: Json, fresh: str) -> None:
    world.need("service-principal", principal_id(a["objectId"]))["accountEnabled"] = False


def create_trust(world: World, a: Json, fresh: str) -> None:
    must(("metadataUrl" in a) != ("metadataDocument" in a), "there is one source of metadata")
    defaults = {"claimRules": "", "tokenLifetimeMinutes": 1440}
    fields = given(a, "name", "metadataUrl", "metadataDocument", "claimRules", "tokenLifetimeMinutes")
    world.create("claims-provider-trust", trust_id(a["name"]), defaults | fields)


def update_trust(world: World, a: Json, fresh: str) -> None:
    trust = world.need("claims-provider-trust", trust_id(a["name"]))
    must(not ("metadataUrl" in a and "metadataDocument" in a), "at most one source of metadata is given")
    for new, old in (("metadataUrl", "metadataDocument"), ("metadataDocument", "metadataUrl")):
        if new in a:
            trust.pop(old, None)
    trust |= given(a, "metadataUrl", "metadataDocument", "claimRules", "tokenLifetimeMinutes")


def delete_trust(world: World, a: Json, fresh: str) -> None:
    trust = world.need("claims-provider-trust", trust_id(a["name"]))
    must(not world.where("user", claimsProviderTrust=a["name"]), "no federated user names the trust")
    world.delete([trust])


COMMANDS: dict[str, Any] = {
    "CreateUser": create_user,
    "UpdateUser": update_user,
    "SetPassword": set_password,
    "EnableUser": enable_user,
    "DisableUser": disable_user,
    "DeleteUser": lambda world, a, fresh: delete_principal(world, "user", a),
    "CreateGroup": create_group,
    "UpdateGroup": update_group,
    "DeleteGroup": lambda world, a, fresh: delete_principal(world, "group", a),
    "AddGroupMember": add_group_member,
    "RemoveGroupMember": remove_group_member,
    "CreateApplication": create_application,
    "UpdateApplication": update_application,
    "DeleteApplication": delete_application,
    "AddPasswordCredential": add_password_credential,
    "RemovePasswordCredential": remove_password_credential,
    "CreateServicePrincipal": create_service_principal,
    "EnableServicePrincipal": enable_service_principal,
    "DisableServicePrincipal": disable_service_principal,
    "DeleteServicePrincipal": lambda world, a, fresh: delete_principal(world, "service-principal", a),
    "CreateClaimsProviderTrust": create_trust,
    "UpdateClaimsProviderTrust": update_trust,
    "DeleteClaimsProviderTrust": delete_trust,
}
