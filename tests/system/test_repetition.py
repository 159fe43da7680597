"""A command that is given again changes nothing, unless it creates, deletes or replaces a secret."""

import re

from hypothesis import given

from domain.control_plane import COMMANDS
from tests.domain.scenario import ControlPlane, refused, sealed
from tests.naive.histories import histories
from tests.naive.pools import FOUNDING, Step
from tests.naive.world import Json
from tests.system.test_naive_model import FACTS, RANDOM

REPEATABLE = re.compile(
    "Update|Change|Enable|Disable|Tag|Rename|Move|LinkPlan|AddGroup|AddSubscription|SetAccess|Recover"
)
"""What such a command asks for is so already when it is given again."""


def given_twice(plane: ControlPlane, name: str, arguments: Json) -> None:
    """Give a command, and if it is accepted give it again."""
    command = COMMANDS[name].model_validate(arguments)
    facts = {"certificates": [FACTS]}

    def once() -> int:
        fresh = plane.fresh_id()
        values = {s.field: sealed(s.purpose, f"{fresh}/{s.field}") for s in command.sealings(fresh)}
        return len(plane.when(command, sealed=values, facts=facts))

    if refused(once) is None and REPEATABLE.match(name):
        assert once() == 0, (name, arguments)


@RANDOM
@given(histories())
def test_what_is_asked_for_again_is_not_recorded_again(history: list[Step]) -> None:
    plane = ControlPlane()
    for name, arguments in [*FOUNDING, *history]:
        if name == "wait":
            plane.after_days(arguments["days"])
        else:
            given_twice(plane, name, arguments)
