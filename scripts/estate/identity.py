"""The identities of an estate: how users are federated, users, groups within groups, and applications."""

from scripts.estate import authority
from scripts.estate.draft import EXTERNAL_DOMAIN, Draft, upn

TRUST = "head-office"
PARTNER = "subsidiary"
DIRECTORY = "head-office-forest"
CLAIM_RULES = "".join(
    f'c:[Type == "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/{claim}"] => issue(claim = c);\n'
    for claim in ("upn", "name", "givenname", "surname")
)


def begin(draft: Draft) -> None:
    """Write the identities of the base."""
    _federate(draft)
    for number in (2, 3):
        _create_user(draft, f"operator-{number}", "operators join")
    for number in range(1, draft.count(20, least=4) + 1):
        draft.tenants.append(_create_user(draft, f"tenant-{number}", "onboarding of tenants"))
    for number in range(1, draft.count(800, least=12) + 1):
        _create_engineer(draft, number)
    _create_groups(draft)
    _create_applications(draft)
    _change_users(draft, draft.count(150))
    _delete_group(draft, "project-closed")


def go_on(draft: Draft) -> None:
    """Write a week of changes."""
    first = draft.count(800, least=12) + 1
    for number in range(first, first + draft.count(20)):
        _create_engineer(draft, number)
        _join(draft, draft.teams[number % len(draft.teams)], draft.engineers[-1], "new engineers join")
    _change_users(draft, draft.count(40))
    draft.add(
        "SetPassword", "forgotten", objectId=draft.guid("user/tenant-2"), password=draft.password("tenant-2-reset")
    )
    draft.add("SetDirectoryServiceCredential", "rotation of the service account", name=DIRECTORY,
              username="graphservice", password=draft.password("graphservice-2"))  # fmt: skip
    certificates = [authority.self_signed(draft, f"{TRUST}-signing-{number}") for number in (1, 2)]
    draft.add("ReplaceClaimsProviderTrustCertificates", "the provider rotates its certificate", name=TRUST,
              certificates=certificates)  # fmt: skip


def _federate(draft: Draft) -> None:
    for name in (TRUST, PARTNER, "pilot"):
        draft.add("CreateClaimsProviderTrust", "users log in where they belong", name=name, claimRules=CLAIM_RULES,
                  metadataUrl=f"https://adfs.{name}.example/FederationMetadata/2007-06/FederationMetadata.xml",
                  certificates=[authority.self_signed(draft, f"{name}-signing-1")])  # fmt: skip
    draft.add("UpdateClaimsProviderTrust", "shorter sessions for partners", name=PARTNER, tokenLifetimeMinutes=480)
    draft.add("DeleteClaimsProviderTrust", "the pilot is over", name="pilot")
    for name in (DIRECTORY, "pilot-forest"):
        draft.add("RegisterDirectoryService", "Graph integration", name=name, globalCatalog=f"{name}.example",
                  username="graphservice", password=draft.password("graphservice"))  # fmt: skip
    draft.add("UpdateDirectoryService", "TLS only", name=DIRECTORY, ports=[636, 3269])
    draft.add("UnregisterDirectoryService", "the pilot is over", name="pilot-forest")


def _create_user(draft: Draft, name: str, reason: str) -> str:
    draft.add("CreateUser", reason, objectId=draft.guid(f"user/{name}"), userPrincipalName=upn(name),
              displayName=name.replace("-", " ").capitalize(), password=draft.password(name))  # fmt: skip
    return name


def _create_engineer(draft: Draft, number: int) -> None:
    name = f"engineer-{number}"
    draft.engineers.append(draft.guid(f"user/{name}"))
    draft.add("CreateUser", "onboarding of engineers", objectId=draft.engineers[-1], userPrincipalName=upn(name),
              displayName=f"Engineer {number}", givenName="Engineer", surname=str(number), mail=upn(f"mail.{name}"),
              claimsProviderTrust=TRUST if number % 4 else PARTNER)  # fmt: skip


def _create_groups(draft: Draft) -> None:
    """Make divisions of departments of teams of engineers."""
    divisions = [_create_group(draft, f"division-{n}") for n in range(1, draft.count(4) + 1)]
    draft.departments = [_create_group(draft, f"department-{n}") for n in range(1, draft.count(24, least=2) + 1)]
    draft.teams = [_create_group(draft, f"team-{n}") for n in range(1, draft.count(180, least=4) + 1)]
    for number, department in enumerate(draft.departments):
        _join(draft, divisions[number % len(divisions)], department, "organisation chart")
    for number, team in enumerate(draft.teams):
        _join(draft, draft.departments[number % len(draft.departments)], team, "organisation chart")
    for number, engineer in enumerate(draft.engineers):
        home = number % len(draft.teams)
        _join(draft, draft.teams[home], engineer, "team of an engineer")
        if number >= len(draft.teams):
            _join(draft, draft.teams[(home + draft.random.randrange(1, len(draft.teams))) % len(draft.teams)], engineer,
                  "second team of an engineer")  # fmt: skip
    for team in draft.some(draft.teams, draft.count(20)):
        draft.add("UpdateGroup", "teams describe themselves", objectId=team, description="See the service catalogue")


def _create_group(draft: Draft, name: str) -> str:
    object_id = draft.guid(f"group/{name}")
    draft.add("CreateGroup", "organisation chart", objectId=object_id, displayName=name.replace("-", " ").capitalize(),
              description=f"Members of {name} of {EXTERNAL_DOMAIN}")  # fmt: skip
    return object_id


def _join(draft: Draft, group: str, member: str, reason: str) -> None:
    draft.add("AddGroupMember", reason, groupId=group, memberId=member)


def _delete_group(draft: Draft, name: str) -> None:
    group = _create_group(draft, name)
    members = draft.some(draft.engineers[1:], 3)
    for member in members:
        _join(draft, group, member, "a short project")
    draft.add("RemoveGroupMember", "left the project", groupId=group, memberId=members[0])
    draft.add("DeleteGroup", "the project is closed", objectId=group, force=True)


def _create_applications(draft: Draft) -> None:
    for number in range(1, draft.count(70, least=4) + 1):
        app_id = draft.guid(f"application/{number}")
        draft.add("CreateApplication", "automation", appId=app_id, displayName=f"automation-{number}")
        service_principal = draft.guid(f"service-principal/{number}")
        draft.add("CreateServicePrincipal", "automation", appId=app_id, objectId=service_principal)
        draft.service_principals.append(service_principal)
        _join(draft, draft.random.choice(draft.teams), service_principal, "automation of a team")
        if number % 6 != 3:
            draft.add("AddKeyCredential", "log in by certificate", appId=app_id, keyId=draft.guid(f"key/{number}"),
                      certificate=authority.self_signed(draft, f"automation-{number}"))  # fmt: skip
        else:
            draft.add("AddPasswordCredential", "log in by secret", appId=app_id, keyId=draft.guid(f"secret/{number}"),
                      displayName="pipeline", hint="Sam", secretText=draft.password(f"automation-{number}"),
                      endDateTime="2036-01-01T00:00:00Z")  # fmt: skip
    _retire_application(draft)


def _retire_application(draft: Draft) -> None:
    """Change the first applications in every way, and take the last one away."""
    app_id, service_principal = draft.guid("application/1"), draft.service_principals[0]
    draft.add("UpdateApplication", "renamed", appId=app_id, displayName="automation-one")
    draft.add("UpdateServicePrincipal", "renamed", objectId=service_principal, displayName="automation-one")
    draft.add("RemoveKeyCredential", "certificate no longer in use", appId=app_id, keyId=draft.guid("key/1"))
    draft.add(
        "RemovePasswordCredential",
        "secret was in a chat",
        appId=draft.guid("application/3"),
        keyId=draft.guid("secret/3"),
    )
    draft.add("DisableServicePrincipal", "investigation", objectId=service_principal)
    draft.add("EnableServicePrincipal", "all clear", objectId=service_principal)
    gone = len(draft.service_principals)
    draft.add("DeleteServicePrincipal", "no longer in use", objectId=draft.service_principals.pop(), force=True)
    draft.add("DeleteApplication", "no longer in use", appId=draft.guid(f"application/{gone}"))


def _change_users(draft: Draft, count: int) -> None:
    """Change engineers; the first one, whom the demo asks about, stays."""
    chosen = draft.some(draft.engineers[1:], max(5, count))
    leaving = chosen[: max(1, count // 10)]
    disabled = chosen[len(leaving) : 3 * len(leaving)]
    for number, engineer in enumerate(chosen[3 * len(leaving) :]):
        draft.add("UpdateUser", "moved to another office", objectId=engineer, surname=f"of office {number % 7 + 1}")
    for engineer in disabled:
        draft.add("DisableUser", "long leave", objectId=engineer)
    draft.add("EnableUser", "back from leave", objectId=disabled[0])
    for engineer in leaving:
        draft.add("DeleteUser", "left", objectId=engineer, force=True)
        draft.engineers.remove(engineer)
        for key in [key for key in draft.assignments if key[0] == engineer]:
            del draft.assignments[key]
