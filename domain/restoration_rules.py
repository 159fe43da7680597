"""Which parts of a restoration fit the world as it is now: what would contradict it is left as it is, with the reason.

The state that comes back was consistent when it was recorded. What may contradict it is what the restoration leaves
alone: other services, resources that must stay, and promises that were made since.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple, cast

from domain.altered_world import Alteration, AlteredWorld
from domain.certificate_authority import CA_ROOT
from domain.errors import Refused
from domain.issued_certificate import ISSUED_CERTIFICATE
from domain.principal import principal_id
from domain.resource import World
from domain.resource_id import fold
from domain.revocation_list import REVOCATION_LIST
from domain.role_assignment import has_root_owner
from domain.secret import SECRET, vault_of
from domain.secret_version import SECRET_VERSION, secret_of, secret_version_id
from domain.tenancy import SUBSCRIPTION, owner_key
from domain.user import USER, find_user, user_key
from domain.vault_state import VAULT, Vault

RELATIONS = (
    "acquirer",
    "addon_plan",
    "application",
    "assignable_scope",
    "base_plan",
    "claims_provider_trust",
    "defined_at",
    "delegated_provider",
    "group",
    "issuer",
    "management_group",
    "member",
    "offer",
    "parent",
    "plan",
    "policy_definition",
    "principal",
    "quota",
    "receiver",
    "resource_group",
    "revoked_by",
    "role_definition",
    "scope",
    "secret",
    "subscription",
    "successor",
    "vault",
    "within",
)
"""The links that name another resource by its id."""

PROTECTION = ("enableSoftDelete", "enablePurgeProtection")


class Skipped(NamedTuple):
    """What is not restored, and why; `rule` is a stable name."""

    alteration: Alteration
    rule: str
    reason: str


class LeftOut(NamedTuple):
    """A part of a resource's state that does not come back with the rest of it, and why."""

    resource: str
    reason: str


class Vetted(NamedTuple):
    """What can be restored, what cannot, and what is left out of the former."""

    accepted: list[Alteration]
    skipped: list[Skipped]
    left_out: list[LeftOut]


class Worlds(NamedTuple):
    """The world now, the one that is restored from, and the one that would result."""

    live: World
    then: World
    result: AlteredWorld


Objection = tuple[str, str]
"""(rule, reason)."""

Rule = Callable[[Worlds, Alteration], Objection | None]


def vet(live: World, then: World, wanted: Iterable[Alteration], skipped: Iterable[Skipped] = ()) -> Vetted:
    """Return what of the wanted alterations can be made together; what was skipped already stays so.

    Whatever is left as it is may be the reason to leave more, so this goes on until nothing objects any more.
    """
    asked = {one.key: one for one in wanted}
    left = list(skipped)
    while True:
        worlds = Worlds(live, then, AlteredWorld(live, asked.values()))
        fitted = {key: _fitted(worlds, one) for key, one in asked.items()}
        worlds = worlds._replace(result=AlteredWorld(live, fitted.values()))
        objections = [(key, found) for key, one in fitted.items() if (found := _objection(worlds, one)) is not None]
        if not objections:
            break
        left += [Skipped(asked.pop(key), *found) for key, found in objections]
    accepted = [one for one in fitted.values() if one.after != one.before]
    parts = [part for key, one in asked.items() for part in _left_out(one, fitted[key])]
    return Vetted(accepted, sorted(left, key=lambda one: one.alteration.key), parts)


def foreseen(alterations: Iterable[Alteration]) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the folded ids, and the pairs of target and relation, that nearly all questions to the world are about."""
    resources: set[str] = set()
    targets: set[tuple[str, str]] = set()
    for one in alterations:
        resources.add(one.key)
        if one.after is None:
            targets.update((one.key, relation) for relation in RELATIONS)
            continue
        for relation, target in one.kind.links(one.after):
            if relation == "key":
                targets.add((fold(target), relation))
            elif target.startswith("/"):
                resources.add(fold(target))
        if "owner" in one.after:
            targets.add((fold(user_key(str(one.after["owner"]))), "key"))
    return sorted(resources), sorted(targets)


def must_leave_an_owner(live: World, result: World) -> None:
    """Refuse a restoration after which nobody who is enabled would be Owner at the root '/'."""
    if has_root_owner(live) and not has_root_owner(result):
        raise Refused(
            "after this nobody who is enabled would be Owner at '/': restore identity and roles together, with all, "
            "or choose another point in time",
            rule="an-owner-remains",
            resource="/",
        )


def stands(world: World, resource: str) -> bool:
    """Whether a resource is there for others to refer to: it exists, and is neither Deleted nor soft-deleted."""
    found = world.find(resource)
    if found is None:
        return False
    if found.kind == SUBSCRIPTION.name:
        return found.state["state"] != "Deleted"
    return found.kind != VAULT.name or "deletionDate" not in found.state


def _fitted(worlds: Worlds, one: Alteration) -> Alteration:
    """Return the alteration without the parts of a vault that may not come back."""
    if one.kind is not VAULT or one.after is None:
        return one
    after = dict(one.after)
    policies = cast(Vault, one.after)["accessPolicies"]
    gone = {p["objectId"] for p in policies if _is_gone(worlds, principal_id(p["objectId"]))}
    after["accessPolicies"] = [policy for policy in policies if policy["objectId"] not in gone]
    if one.before is not None:
        for name in PROTECTION:
            after[name] = bool(one.after[name]) or bool(one.before[name])
        if one.before["enableSoftDelete"]:
            after["softDeleteRetentionInDays"] = one.before["softDeleteRetentionInDays"]
    return one._replace(after=after)


def _left_out(asked: Alteration, fitted: Alteration) -> Iterator[LeftOut]:
    if asked.after is None or fitted.after is None or asked.after == fitted.after:
        return
    kept = cast(Vault, fitted.after)["accessPolicies"]
    for policy in cast(Vault, asked.after)["accessPolicies"]:
        if policy not in kept:
            yield LeftOut(asked.id, f"the access policy of {principal_id(policy['objectId'])}, which is gone")
    for name in (*PROTECTION, "softDeleteRetentionInDays"):
        if asked.after[name] != fitted.after[name]:
            yield LeftOut(asked.id, f"{name} stays as it is now: what protects from deletion only grows")


def _is_gone(worlds: Worlds, resource: str) -> bool:
    return stands(worlds.then, resource) and not stands(worlds.result, resource)


def _objection(worlds: Worlds, one: Alteration) -> Objection | None:
    found = (rule(worlds, one) for rule in (*RULES, *RULES_OF.get(one.kind.name, ())))
    return next((objection for objection in found if objection is not None), None)


def _stays_for_ever(worlds: Worlds, one: Alteration) -> Objection | None:
    if one.after is not None or one.kind.ended is not None:
        return None
    return "stays-for-ever", f"a {one.kind.title} that was made since is not taken back: end it by its own commands"


def _kind_stays(worlds: Worlds, one: Alteration) -> Objection | None:
    found = worlds.live.find(one.id)
    if found is None or found.kind == one.kind.name:
        return None
    return "id-is-new", f"the id belongs to a {found.kind} now: delete that first"


def _references_stand(worlds: Worlds, one: Alteration) -> Objection | None:
    """What it referred to then is there now."""
    for _, target in one.kind.links(one.after) if one.after is not None else ():
        if target.startswith("/") and target != "/" and _is_gone(worlds, target):
            return "reference-stands", f"it refers to {target}, which is gone: create or restore that first"
    return None


def _is_unused(worlds: Worlds, one: Alteration) -> Objection | None:
    """Nothing refers to what would be gone, except what did so already when it was gone then."""
    if not stands(worlds.live, one.id) or stands(worlds.result, one.id):
        return None
    for relation in RELATIONS:
        known = () if stands(worlds.then, one.id) else worlds.then.sources(one.id, relation)
        for source in worlds.result.sources(one.id, relation):
            if source not in known:
                return "still-in-use", f"{source} refers to it and stays: release it there first"
    return None


def _keys_are_unique(worlds: Worlds, one: Alteration) -> Objection | None:
    """Names that one resource alone may have are had by one; where several may have them, no more than then or now."""
    for relation, target in one.kind.links(one.after) if one.after is not None else ():
        if relation == "key":
            holders = worlds.result.sources(target, relation)
            most = max(1, len(worlds.then.sources(target, relation)), len(worlds.live.sources(target, relation)))
            if len(holders) > most:
                other = next(holder for holder in holders if holder != one.key)
                return "unique", f"{other} says the same, has the same name or its place: delete or rename that first"
    return None


def _owner_exists(worlds: Worlds, one: Alteration) -> Objection | None:
    if one.after is None or one.after["state"] == "Deleted" or find_user(worlds.result, str(one.after["owner"])):
        return None
    return "owner-exists", f"its owner {one.after['owner']} is no user now: create or restore that first"


def _owns_nothing(worlds: Worlds, one: Alteration) -> Objection | None:
    """A user principal name that goes is not the owner of a subscription."""
    if one.before is None or worlds.result.sources(user_key(str(one.before["userPrincipalName"])), "key"):
        return None
    owned = worlds.result.sources(owner_key(str(one.before["userPrincipalName"])), "owner")
    if not owned:
        return None
    return (
        "user-owns-no-subscription",
        f"{owned[0]} is owned by {one.before['userPrincipalName']}: change its owner first",
    )


def _current_version_exists(worlds: Worlds, one: Alteration) -> Objection | None:
    if one.after is None or worlds.result.find(secret_version_id(one.id, str(one.after["currentVersion"]))):
        return None
    return "secret-version-exists", "its current version does not come back"


def _is_purgeable(vault_of_it: Callable[[str], str]) -> Rule:
    def rule(worlds: Worlds, one: Alteration) -> Objection | None:
        vault = VAULT.get(worlds.live, vault_of_it(one.id))
        if one.after is not None or vault is None or not vault["enablePurgeProtection"]:
            return None
        return "purge-protection", f"it was made since, and the purge protection of {vault['id']} keeps it"

    return rule


def _revocation_is_final(worlds: Worlds, one: Alteration) -> Objection | None:
    if one.before is None or "revokedOn" not in one.before or one.before == one.after:
        return None
    return "revocation-is-final", f"it was revoked on {one.before['revokedOn']}, which is final"


def _list_goes_forward(worlds: Worlds, one: Alteration) -> Objection | None:
    if one.before is None or one.after is None:
        return None
    return "revocation-list-goes-forward", "a published revocation list is not taken back: publish a new one"


def _root_stays_retired(worlds: Worlds, one: Alteration) -> Objection | None:
    if one.before is None or one.before["state"] != "Retired":
        return None
    return "root-stays-retired", "its key was destroyed when it retired: create or rotate to a new root"


RULES: tuple[Rule, ...] = (_kind_stays, _stays_for_ever, _references_stand, _is_unused, _keys_are_unique)
RULES_OF: Mapping[str, tuple[Rule, ...]] = {
    SUBSCRIPTION.name: (_owner_exists,),
    USER.name: (_owns_nothing,),
    VAULT.name: (_is_purgeable(lambda vault: vault),),
    SECRET.name: (_is_purgeable(vault_of), _current_version_exists),
    SECRET_VERSION.name: (_is_purgeable(lambda version: vault_of(secret_of(version))),),
    ISSUED_CERTIFICATE.name: (_revocation_is_final,),
    REVOCATION_LIST.name: (_list_goes_forward,),
    CA_ROOT.name: (_root_stays_retired,),
}
