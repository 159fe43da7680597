"""The world at the head agrees with the naive one, whatever was cached, settled or forgotten in between."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from domain.event import Event
from domain.principal import principal_id as principal
from domain.resource_id import fold
from domain.user import user_key
from projections.current import Current, Foresight
from projections.fold import change
from projections.version import Version
from tests.domain.scenario import encode
from tests.projections.histories import GROUPS, NAMES, USERS, Truth, histories, lower, truths, user_created

TARGETS = [
    *(("key", user_key(name)) for name in NAMES),
    *(("group", principal(group)) for group in GROUPS),
    *(("member", principal(user)) for user in USERS),
]
IDS = [*(principal(user) for user in USERS), "/nobody"]


class Stored:
    """A loader over what was committed, which counts how often it is asked."""

    def __init__(self) -> None:
        self.versions: dict[str, Version] = {}
        self.asked: list[object] = []

    def version(self, resource: str) -> Version | None:
        self.asked.append(resource)
        return self.versions.get(resource)

    def sources(self, target: str, relation: str) -> Iterable[str]:
        self.asked.append((target, relation))
        return [source for source, version in self.versions.items() if (relation, target) in version.links]


def agree(world: Current, truth: Truth, asked: Iterable[tuple[str, str]]) -> None:
    for relation, target in asked:
        expected = sorted(s for s, r, t in truth.links if (r, t) == (relation, lower(target)))
        assert list(world.sources(target, relation)) == expected
    for resource in IDS:
        found = world.find(resource)
        assert (found.state if found else None) == truth.states.get(lower(resource))


@given(histories(), st.data())
def test_the_world_is_the_naive_one(happened: list[Event], data: st.DataObject) -> None:
    stored = Stored()
    world = Current(stored)
    uncommitted: dict[str, Version] = {}
    for position, (event, truth) in enumerate(zip(happened, truths(happened)[1:], strict=True), 1):
        step = change(world.version(fold(event.resource)), position, [event], encode)
        world.apply(step)
        uncommitted[step.after.resource] = step.after
        doing = data.draw(st.sampled_from(["nothing", "commit", "commit and forget"]))
        if doing != "nothing":
            stored.versions |= uncommitted
            uncommitted = {}
            world.settle()
        if doing == "commit and forget":
            world.forget()
            assert len(world) == 0
        agree(world, truth, data.draw(st.lists(st.sampled_from(TARGETS), max_size=3)))
    agree(world, truths(happened)[-1], TARGETS)


def test_what_is_known_is_not_asked_for_again_and_what_does_not_exist_is_known_too() -> None:
    stored = Stored()
    world = Current(stored)
    for _ in range(3):
        assert world.find("/Nobody") is None
        assert world.sources("/Nobody", "key") == []
    assert stored.asked == ["/nobody", ("/nobody", "key")]


def test_a_changed_link_is_remembered_without_loading_its_target() -> None:
    stored = Stored()
    world = Current(stored)
    world.apply(change(None, 1, [user_created("User-1", "a@b")], encode))
    assert stored.asked == []
    assert list(world.sources(user_key("A@b"), "key")) == [lower(principal("User-1"))]


def test_after_forgetting_the_world_is_what_is_stored() -> None:
    world = Current(Stored())
    world.apply(change(None, 1, [user_created("User-1", "a@b")], encode))
    world.forget()
    assert world.find(principal("User-1")) is None
    assert world.sources(user_key("a@b"), "key") == []


def test_a_world_without_a_loader_starts_empty() -> None:
    assert Current().find("/a") is None
    assert Current().sources("/a", "key") == []


def test_a_foresight_tells_what_is_not_known_and_asks_nobody() -> None:
    stored = Stored()
    world = Current(stored)
    world.apply(change(None, 1, [user_created("User-1", "a@b")], encode))
    world.sources(user_key("a@b"), "key")
    stored.asked.clear()
    foresight = Foresight(world)
    found = foresight.find(principal("User-1"))
    assert found is not None
    assert list(foresight.sources(user_key("A@b"), "key")) == [lower(principal("User-1"))]
    assert foresight.unknown() == ([], [])
    assert foresight.find("/Nobody") is None
    assert list(foresight.sources("/Nobody", "member")) == []
    assert foresight.unknown() == (["/nobody"], [("/nobody", "member")])
    assert stored.asked == []


def test_what_was_learned_is_not_asked_for_and_keeps_what_was_accepted_before() -> None:
    stored = Stored()
    world = Current(stored)
    world.apply(change(None, 1, [user_created("User-1", "a@b")], encode))
    world.learn({"/nobody": None}, {(user_key("a@b"), "key"): ["/another"]})
    assert list(world.sources(user_key("a@b"), "key")) == sorted(["/another", lower(principal("User-1"))])
    assert world.find("/Nobody") is None
    assert stored.asked == []
