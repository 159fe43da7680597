"""Restorations of random histories: a service is as it was, or is left alone where that would contradict others."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.altered_world import AlteredWorld
from domain.principal import PRINCIPAL_KINDS
from domain.resource import SERVICES, Resource
from domain.restoration_rules import RELATIONS, stands
from domain.role_assignment import has_root_owner
from tests.domain.restoring import kinds_of, restore, vetted
from tests.domain.scenario import ControlPlane
from tests.naive.histories import histories
from tests.naive.pools import Step
from tests.system.test_naive_model import Both, founded

RANDOM = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
chosen = st.one_of(st.just(()), st.sampled_from(SERVICES).map(lambda service: (service,)))


def told(*parts: list[Step]) -> ControlPlane:
    """A control plane that was told these one after another; what it refuses is left out."""
    both = founded()
    for name, arguments in (step for part in parts for step in part):
        if name == "wait":
            both.plane.after_days(arguments["days"])
        else:
            Both.refusal(both, name, arguments)
    return both.plane


def plain(found: Resource | None) -> object:
    """A resource without the number of its last event."""
    return None if found is None else (found.id, found.kind, found.state)


@RANDOM
@given(before=histories(), since=histories(), services=chosen)
def test_a_service_is_as_it_was_and_no_other_moves(
    before: list[Step], since: list[Step], services: tuple[str, ...]
) -> None:
    then, live, untouched = told(before), told(before, since), told(before, since)
    found = vetted(live, then, *services)
    if has_root_owner(live.world) and not has_root_owner(AlteredWorld(live.world, found.accepted)):
        live.refuses(restore(found.accepted), "an-owner-remains")
        return
    live.when(restore(found.accepted))
    names = {kind.name for kind in kinds_of(*services)}
    exempt = {one.alteration.key for one in found.skipped} | {one.resource.lower() for one in found.left_out}
    for resource in {**then.resources(), **live.resources(), **untouched.resources()}:
        now, old, ruined = live.find(resource), then.find(resource), untouched.find(resource)
        if not {one.kind for one in (now, old, ruined) if one is not None} <= names or resource in {
            one.alteration.key for one in found.skipped
        }:
            assert plain(now) == plain(ruined), f"{resource} moved"
        elif resource not in exempt:
            assert plain(now) == plain(old), f"{resource} is not as it was"
    check_consistent(live, then, untouched)


def check_consistent(live: ControlPlane, then: ControlPlane, untouched: ControlPlane) -> None:
    """Nothing refers to what is not there, or has a name that is taken, unless it did so then or before."""
    assert has_root_owner(live.world) or not has_root_owner(untouched.world)
    for key, resource in live.resources().items():
        links = live.world.version(key)
        assert links is not None
        for relation, target in links.links:
            if relation == "key":
                holders = [len(one.world.sources(target, relation)) for one in (live, then, untouched)]
                assert holders[0] <= max(1, *holders[1:]), f"{target} of {key} is held by {holders[0]}"
            elif target.startswith("/") and target != "/":
                assert relation in RELATIONS, f"{relation} of {resource.kind} is unknown to restorations"
                assert any(stands_or_did_not(one, live, key, (relation, target)) for one in (then, untouched)), (
                    f"{key} refers to {target}, which is gone"
                )
        if resource.kind == "subscription" and resource.state["state"] != "Deleted":
            owners = [one for one in live.resources().values() if one.kind in PRINCIPAL_KINDS]
            names = {str(one.state.get("userPrincipalName", "")).lower() for one in owners}
            assert str(resource.state["owner"]).lower() in names


def stands_or_did_not(earlier: ControlPlane, live: ControlPlane, source: str, link: tuple[str, str]) -> bool:
    """Whether the target of a link is there, or was not there earlier either, when the link was."""
    relation, target = link
    was_loose = source in earlier.world.sources(target, relation) and not stands(earlier.world, target)
    return stands(live.world, target) or was_loose
