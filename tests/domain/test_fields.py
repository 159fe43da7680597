"""Fields: only what a command gives, and never a secret, becomes a payload."""

from domain.fields import differing, given
from domain.user import CreateUser, UpdateUser, UserChanges, UserFields
from tests.domain.identity import OPERATOR, SECRET, create_operator


def test_what_is_not_given_is_absent() -> None:
    command = CreateUser(user_principal_name="a@b", display_name="A", password=SECRET)
    assert given(UserFields, command) == {"userPrincipalName": "a@b", "displayName": "A", "accountEnabled": True}


def test_a_field_that_the_form_does_not_have_is_left_out() -> None:
    fields = given(UserChanges, create_operator())
    assert fields == {"userPrincipalName": "operator-1@region.example", "displayName": "Operator"}


def test_only_differing_fields_change_a_state() -> None:
    command = UpdateUser(object_id=OPERATOR, display_name="B", surname="S")
    assert differing(UserChanges, {"displayName": "B"}, command) == {"surname": "S"}
