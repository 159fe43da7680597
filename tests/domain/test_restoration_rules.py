"""What of a restoration contradicts the world as it is, stays as it is, and is listed with the rule that says so."""

from collections.abc import Callable
from itertools import chain

import pytest

from domain import restoration_rules
from domain.access_policy import AccessPolicyEntry
from domain.built_in_role import OWNER, READER
from domain.certificate_authority import RetireCertificateAuthority
from domain.command import Command
from domain.event import Event
from domain.group import CreateGroup, DeleteGroup
from domain.issued_certificate import RevokeCertificate
from domain.principal import principal_id
from domain.resource_group import DeleteResourceGroup
from domain.restoration_rules import RULES, RULES_OF, Rule, Skipped, Vetted, vet
from domain.role_assignment import UnassignRole, role_assignment_id
from domain.secret import DeleteSecret, PurgeSecret
from domain.subscription import CreateProviderSubscription
from domain.tenancy import SubscriptionChanged, subscription_id
from domain.user import DeleteUser, UpdateUser
from domain.vault import DeleteVault, PurgeVault, RemoveAccessPolicy, SetAccessPolicy, UpdateVault
from tests.domain import estate, tenants
from tests.domain.certificate_facts import list_facts, root_facts
from tests.domain.estate import GUEST, NORTH, NORTH_GROUP, OPERATOR, TEAM, TENANT, user
from tests.domain.restoring import differences, restored, vetted
from tests.domain.scenario import ControlPlane
from tests.domain.test_certificate_authority import FIRST, ROTATE, SECOND, key, with_root
from tests.domain.test_issued_certificate import issue
from tests.domain.test_revocation_list import PUBLISH
from tests.domain.test_role_assignment import NAME, assign

ASSIGNMENT = role_assignment_id(NORTH_GROUP, NAME)
NEWCOMER = "10000000-0000-4000-9000-000000000009"


def two(made: Callable[[], ControlPlane], *since: Event | Command) -> tuple[ControlPlane, ControlPlane]:
    """The same control plane twice: to the first of them more has happened since."""
    return made().given(*since), made()


def left(found: Vetted) -> dict[str, str]:
    """The rule for which each skipped resource is left as it is."""
    return {one.alteration.id: one.rule for one in found.skipped}


def back(found: Vetted) -> set[str]:
    """The resources that are restored."""
    return {one.id for one in found.accepted}


def with_assignment() -> ControlPlane:
    return estate.estate().given(assign(NORTH_GROUP, GUEST, READER, NAME))


def test_a_role_assignment_whose_principal_is_gone_is_not_restored_blindly() -> None:
    live, then = two(with_assignment, UnassignRole(id=ASSIGNMENT))
    assert back(vetted(live, then, "roles")) == {ASSIGNMENT}
    live.given(DeleteUser(object_id=GUEST, force=True))
    found = vetted(live, then, "roles")
    assert left(found) == {ASSIGNMENT: "reference-stands"}
    assert principal_id(GUEST) in found.skipped[0].reason
    assert restored(live, then, "roles") == []


def test_it_is_restored_together_with_its_principal() -> None:
    live, then = two(with_assignment, UnassignRole(id=ASSIGNMENT), DeleteUser(object_id=GUEST, force=True))
    assert back(vetted(live, then)) >= {ASSIGNMENT, principal_id(GUEST)}
    restored(live, then)
    assert live.resources().keys() == then.resources().keys()


def test_a_role_assignment_on_a_vault_that_is_soft_deleted_is_not_restored() -> None:
    def made() -> ControlPlane:
        return estate.with_vault().given(assign(estate.VAULT, GUEST, READER, NAME))

    live, then = two(made, DeleteVault(id=estate.VAULT))
    assert left(vetted(live, then, "roles")) == {role_assignment_id(estate.VAULT, NAME): "reference-stands"}
    assert not vetted(live, then, "roles", "vaults").skipped


def test_a_vault_without_its_resource_group_stays_away_with_all_that_was_in_it() -> None:
    live, then = two(tenants.with_vault), two(tenants.with_vault)
    version = tenants.set_secret(live[0])
    tenants.set_secret(then[0])
    live[0].given(DeleteVault(id=tenants.VAULT), PurgeVault(id=tenants.VAULT), DeleteResourceGroup(id=tenants.GROUP))
    found = vetted(live[0], then[0], "vaults")
    assert back(found) == set()
    rules = dict.fromkeys((tenants.VAULT, tenants.SECRET, version), "reference-stands")
    assert left(found) == rules
    assert back(vetted(live[0], then[0])) == {*rules, tenants.GROUP}


def entry(object_id: str) -> AccessPolicyEntry:
    return AccessPolicyEntry(object_id=object_id, permissions=tenants.may("get"))


def test_the_access_policy_of_a_principal_that_is_gone_is_left_out_and_the_vault_comes_back() -> None:
    other = "b0000000-0000-4000-9000-000000000003"

    def made() -> ControlPlane:
        return tenants.with_vault(access_policies=[entry(tenants.TENANT_OBJECT), entry(other), entry("s-1-5-9")])

    live, then = two(made, RemoveAccessPolicy(id=tenants.VAULT, object_id=tenants.TENANT_OBJECT))
    live.given(DeleteUser(object_id=other, force=True), UpdateVault(id=tenants.VAULT, tags={"a": "b"}))
    [part] = vetted(live, then, "vaults").left_out
    assert part.resource == tenants.VAULT
    assert other in part.reason
    restored(live, then, "vaults")
    holders = [policy["objectId"] for policy in live.state(tenants.VAULT)["accessPolicies"]]
    assert holders == [tenants.TENANT_OBJECT, "s-1-5-9"], "nobody ever knew the last one, so nobody misses it"
    assert restored(live, then, "vaults") == []
    restored(live, then)
    assert live.state(tenants.VAULT) == then.state(tenants.VAULT), "with the identity its policy comes back"


def test_what_protects_a_vault_from_deletion_only_grows() -> None:
    def made() -> ControlPlane:
        return tenants.with_vault(enable_soft_delete=False)

    live, then = two(made, UpdateVault(id=tenants.VAULT, enable_soft_delete=True, soft_delete_retention_in_days=7))
    live.given(UpdateVault(id=tenants.VAULT, enable_purge_protection=True, tags={"a": "b"}))
    found = vetted(live, then, "vaults")
    assert [one.reason.split()[0] for one in found.left_out] == [
        "enableSoftDelete",
        "enablePurgeProtection",
        "softDeleteRetentionInDays",
    ]
    restored(live, then, "vaults")
    state = live.state(tenants.VAULT)
    assert (state["enableSoftDelete"], state["enablePurgeProtection"]) == (True, True)
    assert state["softDeleteRetentionInDays"] == 7
    assert "tags" not in state


def test_what_a_purge_protection_keeps_is_not_taken_away() -> None:
    live, then = two(lambda: tenants.with_vault(enable_purge_protection=True))
    version = tenants.set_secret(live)
    live.given(tenants.create_vault("keys-2", enable_purge_protection=True), tenants.create_vault("keys-3"))
    found = vetted(live, then, "vaults")
    protected = {tenants.SECRET, version, tenants.VAULT.replace("keys-1", "keys-2")}
    assert left(found) == dict.fromkeys(protected, "purge-protection")
    assert back(found) == {tenants.VAULT.replace("keys-1", "keys-3")}


def test_a_secret_stays_away_without_its_current_version() -> None:
    live, then = two(tenants.with_vault), two(tenants.with_vault)
    version = tenants.set_secret(live[0])
    tenants.set_secret(then[0])
    live[0].given(DeleteSecret(id=tenants.SECRET), PurgeSecret(id=tenants.SECRET))
    wanted = differences(live[0], then[0], "vaults")
    lost = [Skipped(one, "value-destroyed", "") for one in wanted if one.id == version]
    rest = [one for one in wanted if one.id != version]
    found = vet(live[0].world, then[0].world, rest, lost)
    assert left(found) == {version: "value-destroyed", tenants.SECRET: "secret-version-exists"}


def test_what_was_made_since_stays_while_others_refer_to_it() -> None:
    live, then = two(estate.estate, *_vault_made(), assign(estate.VAULT, GUEST, READER, NAME))
    found = vetted(live, then, "vaults")
    assert left(found) == {estate.VAULT: "still-in-use"}
    assert role_assignment_id(estate.VAULT, NAME).lower() in found.skipped[0].reason
    assert back(vetted(live, then, "vaults", "roles")) == {estate.VAULT, role_assignment_id(estate.VAULT, NAME)}
    live.given(UnassignRole(id=role_assignment_id(estate.VAULT, NAME)))
    assert back(vetted(live, then, "vaults")) == {estate.VAULT}


def _vault_made() -> list[Event]:
    vault = estate.with_vault().find(estate.VAULT)
    assert vault is not None
    return [Event("vault.created", vault.id, {k: v for k, v in vault.state.items() if k != "id"})]


def test_what_would_be_deleted_again_stays_while_others_refer_to_it_but_for_who_did_so_then() -> None:
    def made() -> ControlPlane:
        return tenants.with_vault().given(SetAccessPolicy(id=tenants.VAULT, object_id="s-1", permissions=tenants.may()))

    live, then = two(made)
    tenants.set_secret(live)
    tenants.set_secret(then)
    then.given(DeleteVault(id=tenants.VAULT))
    assert back(vetted(live, then, "vaults")) == {tenants.VAULT}, "its secrets stood in a deleted vault then as well"


def test_a_name_that_somebody_else_has_by_now_is_not_given_twice() -> None:
    newcomer = user(NEWCOMER, "guest-1@region.example")
    live, then = two(estate.estate, UpdateUser(object_id=GUEST, user_principal_name="g@region.example"), newcomer)
    assert back(vetted(live, then, "identity")) == {principal_id(GUEST), principal_id(NEWCOMER)}
    live.given(assign(NORTH_GROUP, NEWCOMER, READER, NAME))
    found = vetted(live, then, "identity")
    assert left(found) == {principal_id(NEWCOMER): "still-in-use", principal_id(GUEST): "unique"}


def test_names_that_were_exchanged_are_exchanged_back() -> None:
    names = ["guest-1@region.example", "tenant-1@region.example"]
    live, then = two(
        lambda: ControlPlane().given(user(GUEST, names[0]), user(TENANT, names[1])),
        UpdateUser(object_id=GUEST, user_principal_name="x@region.example"),
        UpdateUser(object_id=TENANT, user_principal_name=names[0]),
        UpdateUser(object_id=GUEST, user_principal_name=names[1]),
    )
    restored(live, then, "identity")
    assert live.resources() == {
        resource: one._replace(sequence=live.resources()[resource].sequence)
        for resource, one in then.resources().items()
    }


def test_an_assignment_that_somebody_made_anew_is_not_made_twice() -> None:
    live, then = two(with_assignment, UnassignRole(id=ASSIGNMENT), assign(NORTH_GROUP, GUEST, READER, OPERATOR))
    assert len(vetted(live, then, "roles").accepted) == 2
    again = [one for one in differences(live, then, "roles") if one.after is not None]
    assert left(vet(live.world, then.world, again)) == {ASSIGNMENT: "unique"}


def test_a_subscription_is_not_given_back_to_a_user_who_is_gone() -> None:
    taken = SubscriptionChanged(NORTH, {"owner": "operator-1@region.example"})
    live, then = two(estate.estate, taken, DeleteUser(object_id=TENANT))
    assert left(vetted(live, then, "subscriptions")) == {NORTH: "owner-exists"}
    assert back(vetted(live, then)) == {NORTH, principal_id(TENANT)}


def test_a_user_who_owns_a_subscription_stays_and_keeps_the_name() -> None:
    owner = user(NEWCOMER, "n@region.example")
    live, then = two(estate.estate, owner, SubscriptionChanged(NORTH, {"owner": "n@region.example"}))
    assert left(vetted(live, then, "identity")) == {principal_id(NEWCOMER): "user-owns-no-subscription"}
    renamed, then = two(
        estate.estate,
        SubscriptionChanged(NORTH, {"owner": "operator-1@region.example"}),
        UpdateUser(object_id=TENANT, user_principal_name="t@region.example"),
        SubscriptionChanged(NORTH, {"owner": "t@region.example"}),
    )
    assert left(vetted(renamed, then, "identity")) == {principal_id(TENANT): "user-owns-no-subscription"}
    assert back(vetted(renamed, then)) == {principal_id(TENANT), NORTH}


def test_a_subscription_that_was_made_since_is_not_taken_back() -> None:
    guid = "a0000000-0000-4000-9000-000000000009"
    made = CreateProviderSubscription(subscription_id=guid, owner=tenants.OPERATOR, tenant_id=tenants.DIRECTORY)
    live, then = two(tenants.provider, made)
    assert left(vetted(live, then)) == {subscription_id(guid): "stays-for-ever"}


def test_an_id_that_another_kind_has_by_now_is_not_taken_from_it() -> None:
    live, then = two(estate.estate, DeleteGroup(object_id=TEAM), user(TEAM, "team@region.example"))
    group = next(
        one
        for one in differences(estate.estate().given(DeleteGroup(object_id=TEAM)), then)
        if one.id == principal_id(TEAM)
    )
    assert left(vet(live.world, then.world, [group])) == {principal_id(TEAM): "id-is-new"}


def test_a_rotation_is_not_undone() -> None:
    live, then = with_root(), with_root()
    live.when(ROTATE, sealed=key("k2"), facts=root_facts("b2"))
    assert left(vetted(live, then)) == {SECOND: "stays-for-ever", FIRST: "unique"}
    live.after_days(31).given(RetireCertificateAuthority(id=FIRST))
    assert left(vetted(live, then)) == {SECOND: "stays-for-ever", FIRST: "root-stays-retired"}


def test_what_was_issued_revoked_or_published_since_stays_so() -> None:
    live, then = with_root(), with_root()
    first, _ = issue(live), issue(then)
    then.when(PUBLISH, facts=list_facts(1, []))
    live.when(PUBLISH, facts=list_facts(1, []))
    second = issue(live)
    live.given(RevokeCertificate(id=first))
    live.when(PUBLISH, facts=list_facts(2, [first.rsplit("/", 1)[1]]))
    assert left(vetted(live, then)) == {
        second: "stays-for-ever",
        first: "revocation-is-final",
        f"{FIRST}/crl": "revocation-list-goes-forward",
    }


def test_owners_at_the_root_may_be_as_many_as_then() -> None:
    def made() -> ControlPlane:
        return estate.estate().given(assign("/", OPERATOR, OWNER, NAME), assign("/", TENANT, OWNER, OPERATOR))

    live, then = two(made, UnassignRole(id=role_assignment_id("/", NAME)))
    assert back(vetted(live, then, "roles")) == {role_assignment_id("/", NAME)}


def test_groups_and_memberships_come_back_together() -> None:
    live, then = two(estate.estate, DeleteGroup(object_id=TEAM), CreateGroup(display_name="New", object_id=NEWCOMER))
    restored(live, then, "identity")
    assert live.resources().keys() == then.resources().keys()
    assert live.world.sources(principal_id(TEAM), "group") == then.world.sources(principal_id(TEAM), "group")


SHOWN_BY = {
    "_kind_stays": test_an_id_that_another_kind_has_by_now_is_not_taken_from_it,
    "_stays_for_ever": test_a_subscription_that_was_made_since_is_not_taken_back,
    "_references_stand": test_a_role_assignment_whose_principal_is_gone_is_not_restored_blindly,
    "_is_unused": test_what_was_made_since_stays_while_others_refer_to_it,
    "_keys_are_unique": test_a_name_that_somebody_else_has_by_now_is_not_given_twice,
    "_owner_exists": test_a_subscription_is_not_given_back_to_a_user_who_is_gone,
    "_owns_nothing": test_a_user_who_owns_a_subscription_stays_and_keeps_the_name,
    "_current_version_exists": test_a_secret_stays_away_without_its_current_version,
    "_is_purgeable": test_what_a_purge_protection_keeps_is_not_taken_away,
    "_revocation_is_final": test_what_was_issued_revoked_or_published_since_stays_so,
    "_list_goes_forward": test_what_was_issued_revoked_or_published_since_stays_so,
    "_root_stays_retired": test_a_rotation_is_not_undone,
}


def name_of(rule: Rule) -> str:
    """The name of the function that a rule is, or was made by."""
    return rule.__qualname__.split(".")[0]


@pytest.mark.parametrize("name", sorted({name_of(rule) for rule in (*RULES, *chain(*RULES_OF.values()))}))
def test_every_rule_is_missed_where_it_is_left_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    others = tuple(rule for rule in RULES if name_of(rule) != name)
    others_of = {kind: tuple(rule for rule in of if name_of(rule) != name) for kind, of in RULES_OF.items()}
    monkeypatch.setattr(restoration_rules, "RULES", others)
    monkeypatch.setattr(restoration_rules, "RULES_OF", others_of)
    with pytest.raises((AssertionError, IndexError)):
        SHOWN_BY[name]()


@pytest.mark.parametrize(
    "shown_by",
    [
        test_the_access_policy_of_a_principal_that_is_gone_is_left_out_and_the_vault_comes_back,
        test_what_protects_a_vault_from_deletion_only_grows,
    ],
)
def test_what_is_left_out_is_missed_where_it_is_not(
    shown_by: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restoration_rules, "_fitted", lambda _, one: one)
    with pytest.raises((AssertionError, ValueError)):
        shown_by()
