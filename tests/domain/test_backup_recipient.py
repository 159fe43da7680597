"""Backup recipients: which may stand together, and that one remains."""

import pytest
from pydantic import ValidationError

from domain.backup_recipient import (
    RECIPIENTS_MAX,
    AddBackupRecipient,
    RetireBackupRecipient,
    kind_of,
    recipient_id,
    recipients,
)
from tests.domain.scenario import NOW, ControlPlane

QUANTUM_SAFE = "age1pq1" + "q" * 100


def add(name: str, recipient: str = "", *, may_mix: bool = False) -> AddBackupRecipient:
    return AddBackupRecipient(name=name, recipient=recipient or classical(name), label="Vault 1", may_mix=may_mix)


def classical(name: str) -> str:
    """Return a recipient that no other name has."""
    return "age1" + name.encode().hex().ljust(58, "q")


def test_a_recipient_says_what_kind_it_is_and_who_holds_its_identity() -> None:
    plane = ControlPlane().given(add("offline-1", QUANTUM_SAFE))
    assert plane.state(recipient_id("offline-1")) == {
        "id": recipient_id("offline-1"),
        "recipient": QUANTUM_SAFE,
        "recipientKind": "mlkem768x25519",
        "label": "Vault 1",
        "mayMix": False,
        "createdOn": NOW,
    }
    assert kind_of(classical("a")) == "x25519"


@pytest.mark.parametrize("recipient", ["age1", "AGE1" + "q" * 58, "age1" + "q" * 49, "ssh-rsa " + "q" * 58])
def test_what_is_no_recipient_is_refused(recipient: str) -> None:
    with pytest.raises(ValidationError):
        add("a", recipient)


def test_recipients_are_named_once() -> None:
    plane = ControlPlane().given(add("a"))
    plane.refuses(add("A"), "id-is-new")
    plane.refuses(add("b", classical("a")), "recipient-is-new")
    assert [one["recipient"] for one in recipients(plane.given(add("b")).world)] == [classical("a"), classical("b")]


def test_kinds_are_mixed_only_by_choice() -> None:
    for first, second in ((QUANTUM_SAFE, classical("b")), (classical("b"), QUANTUM_SAFE)):
        ControlPlane().given(add("a", first)).refuses(add("b", second), "recipients-do-not-mix")
        ControlPlane().given(add("a", first), add("b", second, may_mix=True))
        ControlPlane().given(add("a", first, may_mix=True), add("b", second))


def test_one_recipient_remains() -> None:
    plane = ControlPlane().given(add("a"))
    plane.refuses(RetireBackupRecipient(name="b"), "recipient-exists")
    plane.refuses(RetireBackupRecipient(name="a"), "a-recipient-remains")
    plane.given(add("b"), RetireBackupRecipient(name="A"))
    assert [one["id"] for one in recipients(plane.world)] == [recipient_id("b")]


def test_there_are_20_recipients_at_most() -> None:
    plane = ControlPlane().given(*(add(f"r{number:02}") for number in range(RECIPIENTS_MAX)))
    plane.refuses(add("more"), "recipients-limit")
    plane.given(RetireBackupRecipient(name="r00"), add("more"))
