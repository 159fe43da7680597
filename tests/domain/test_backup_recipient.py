"""Backup recipients: which may stand together, and that one remains."""

import pytest
from pydantic import ValidationError

from domain.backup_recipient import (
    RECIPIENTS_MAX,
    AddBackupRecipient,
    RetireBackupRecipient,
    encryption,
    kind_of,
    recipient_id,
    recipients,
)
from domain.instant import plus_days
from tests.domain.scenario import NOW, ControlPlane

QUANTUM_SAFE = "age1pq1" + "q" * 100
CERTIFICATE = "x509:" + "A" * 400
FACTS = {
    "thumbprint": "AB" * 20,
    "notBefore": NOW,
    "notAfter": plus_days(NOW, 365),
    "subject": "CN=office",
    "fingerprint": "0123456789abcdef",
}


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


def test_a_certificate_stands_beside_a_recipient_of_age_and_never_alone() -> None:
    plane = ControlPlane()
    plane.refuses(add("office", CERTIFICATE), "an-age-recipient-remains", facts=FACTS)
    plane.given(add("a"))
    plane.when(add("office", CERTIFICATE), facts=FACTS)
    state = plane.state(recipient_id("office"))
    assert (state["recipientKind"], state["recipient"], state["certificate"]) == ("x509-rsa", CERTIFICATE, FACTS)
    plane.refuses(RetireBackupRecipient(name="a"), "an-age-recipient-remains")
    plane.given(add("b"), RetireBackupRecipient(name="a"), RetireBackupRecipient(name="office"))
    plane.refuses(RetireBackupRecipient(name="b"), "a-recipient-remains")


def test_a_certificate_is_valid_when_it_is_added_and_may_expire_later() -> None:
    plane = ControlPlane().given(add("a"))
    for begins, ends in ((plus_days(NOW, 1), plus_days(NOW, 9)), (plus_days(NOW, -9), NOW)):
        facts = {**FACTS, "notBefore": begins, "notAfter": ends}
        plane.refuses(add("office", CERTIFICATE), "certificate-is-valid", facts=facts)
    plane.when(add("office", CERTIFICATE), facts=FACTS)
    plane.after_days(1000)
    assert len(recipients(plane.world)) == 2


def test_the_key_of_a_certificate_is_named_once() -> None:
    plane = ControlPlane().given(add("a"))
    plane.when(add("office", CERTIFICATE), facts=FACTS)
    renewed = add("renewed", CERTIFICATE + "AAAA")
    plane.refuses(renewed, "recipient-is-new", facts={**FACTS, "thumbprint": "CD" * 20})
    plane.when(renewed, facts={**FACTS, "fingerprint": "f" * 16})


def test_a_certificate_is_classical_and_mixes_with_post_quantum_only_by_choice() -> None:
    plane = ControlPlane().given(add("a", QUANTUM_SAFE))
    plane.refuses(add("office", CERTIFICATE), "recipients-do-not-mix", facts=FACTS)
    plane.when(add("office", CERTIFICATE, may_mix=True), facts=FACTS)
    ControlPlane().given(add("a")).when(add("office", CERTIFICATE), facts=FACTS)
    assert encryption(["x25519", "x509-rsa"]) == "classical"
    assert encryption(["mlkem768x25519", "x509-rsa"]) == "mixed"
    assert encryption(["mlkem768x25519"]) == "post-quantum"
