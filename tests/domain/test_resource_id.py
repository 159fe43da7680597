"""Ids: what they may hold, when they are equal, and which scopes they name; in whatever script and spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Usage
from domain.resource_id import BYTES_MAX, check, child, extended_scope, fold, name, parent_scopes

GROUP = "/subscriptions/s/resourceGroups"


@given(st.text())
def test_folding_is_done_once_and_for_ever(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize(
    ("one", "other"), [("/Straße", "/STRASSE"), ("/e\u0301", "/É"), ("/\u017f", "/S"), ("/ΐ", "/\u03b9\u0308\u0301")]
)
def test_equal_ids_are_equal_when_folded(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize("resource_id", ["/", "/a", "/größe/東京", "/a b", "/" + "x" * (BYTES_MAX - 1)])
def test_an_id_is_given_back_as_it_was_written(resource_id: str) -> None:
    assert check(resource_id) == resource_id


@pytest.mark.parametrize(
    "resource_id",
    ["", "a", "//", "/a/", "/ a", "/a/..", "/.", "/a%2f", "/a\u202e", "/a\ud800", "/a#b", "/" + "x" * BYTES_MAX],
)
def test_what_cannot_be_an_id_is_refused(resource_id: str) -> None:
    with pytest.raises(Usage):
        check(resource_id)


def test_an_id_that_folding_makes_too_long_is_refused() -> None:
    grows = "/" + "\u0149" * 500
    assert len(grows.encode()) <= BYTES_MAX < len(fold(grows).encode())
    with pytest.raises(Usage, match="1024 at most"):
        check(grows)


@pytest.mark.parametrize("providers", ["providers", "PROVIDERS", "provider\u017f"])
@pytest.mark.parametrize("scope", ["", GROUP + "/g", GROUP + "/İİİ", GROUP + "/providers", "/providers/N.M/a/b"])
def test_an_extension_stands_on_what_comes_before_its_provider(scope: str, providers: str) -> None:
    extension = f"{scope}/{providers}/Microsoft.Authorization/policyAssignments/providers"
    assert extended_scope(extension) == (scope or "/")


def test_an_id_without_a_provider_stands_for_itself() -> None:
    assert extended_scope(GROUP + "/g") == GROUP + "/g"
    assert extended_scope("/") == "/"


def test_the_scopes_of_an_id_are_its_longer_and_shorter_rows_of_pairs() -> None:
    assert parent_scopes(f"{GROUP}/g/PROVIDERS/N.M/a/b/c/d") == [
        f"{GROUP}/g/PROVIDERS/N.M/a/b/c/d",
        f"{GROUP}/g/PROVIDERS/N.M/a/b",
        f"{GROUP}/g",
        "/subscriptions/s",
        "/",
    ]
    assert parent_scopes("/") == ["/"]


def test_a_child_of_the_root_has_one_slash() -> None:
    assert (child("/", "a", "b"), name("/a/b")) == ("/a/b", "b")
