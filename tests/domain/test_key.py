"""Alternate keys: equal as ids are, and short whatever they are made of."""

from typing import Any

import pytest
from pydantic import SecretStr

from domain.built_in_role import built_in_role_events
from domain.resource import key
from domain.resource_id import BYTES_MAX
from domain.role_definition import DefineRole
from domain.user import CreateUser, find_user
from tests.domain.scenario import ControlPlane, sealed

LONG_NAME = "ΐ" * 64 + "@" + "\U0001d400" * 255
"""Its UTF-8 is longer than 1,024 bytes, and longer still when it is folded."""


def test_keys_are_equal_as_ids_are() -> None:
    assert key("user", "Straße@region", "b") == key("user", "STRASSE@REGION", "B")
    assert key("user", "a", "b") != key("user", "ab") != key("other", "ab")


@pytest.mark.parametrize("part", ["", "a" * 100_000, LONG_NAME, "\udcff"])
def test_a_key_fits_into_an_index_whatever_it_is_made_of(part: str) -> None:
    assert len(key("subscription-account", part, part).encode()) < 100 < BYTES_MAX


def test_the_longest_names_are_found_and_unique() -> None:
    plane = ControlPlane().given(*built_in_role_events())
    given: dict[str, Any] = {"display_name": "A", "password": SecretStr("p")}
    prepared = {"sealed": {"password": sealed("password-hash")}}
    plane.when(CreateUser(user_principal_name=LONG_NAME, **given), **prepared)
    assert find_user(plane.world, LONG_NAME) is not None
    plane.refuses(CreateUser(user_principal_name=LONG_NAME, **given), "user-principal-name-unique", **prepared)

    role = {"permissions": [{"actions": ["*"]}], "assignableScopes": ["/"], "roleName": "\U0001d400" * 512}
    plane.given(DefineRole.model_validate({"name": "40000000-0000-4000-9000-000000000001", **role}))
    plane.refuses(
        DefineRole.model_validate({"name": "40000000-0000-4000-9000-000000000002", **role}), "role-name-unique"
    )
