"""What the blocks of a role say of an action."""

import pytest

from domain.role_definition import PermissionBlock
from projections.permission import Verdict, verdict


def block(
    actions: list[str], not_actions: list[str] | None = None, condition: str | None = None, *, data: bool = False
) -> PermissionBlock:
    """Return a block of actions, or of data actions."""
    pair: list[list[str]] = [actions, not_actions or []]
    none: list[list[str]] = [[], []]
    (named, taken), (data_named, data_taken) = (none, pair) if data else (pair, none)
    result = PermissionBlock(actions=named, notActions=taken, dataActions=data_named, notDataActions=data_taken)
    if condition is not None:
        result["condition"] = condition
    return result


ALL = block(["*"])
NO_WRITE = block(["*"], ["Microsoft.Authorization/*/Write"])
CONDITIONAL = block(["Microsoft.Authorization/*"], condition="@Resource[a] StringEquals 'b'")
WRITE = "Microsoft.Authorization/roleAssignments/write"


@pytest.mark.parametrize(
    ("permissions", "expected"),
    [
        ([], "silent"),
        ([block(["*/read"])], "silent"),
        ([ALL], "granted"),
        ([block([WRITE.upper()])], "granted"),
        ([NO_WRITE], "subtracted"),
        ([CONDITIONAL], "conditional"),
        ([NO_WRITE, CONDITIONAL], "conditional"),
        ([NO_WRITE, CONDITIONAL, ALL], "granted"),
        ([block(["*"], [WRITE], "@x")], "subtracted"),
        ([block([], ["*"])], "silent"),
    ],
)
def test_the_best_of_the_blocks_counts_and_each_subtracts_from_itself(
    permissions: list[PermissionBlock], expected: Verdict
) -> None:
    assert verdict(permissions, WRITE) == expected


def test_actions_and_data_actions_are_apart() -> None:
    read = "Microsoft.Storage/blobs/read"
    data = block(["Microsoft.Storage/*"], ["*/delete"], data=True)
    assert verdict([data], read, data=True) == "granted"
    assert verdict([data], read) == "silent"
    assert verdict([data], "Microsoft.Storage/blobs/delete", data=True) == "subtracted"
    assert verdict([ALL], read, data=True) == "silent"
