"""The first records of a recovered deployment: new inputs, and new TLS certificates under the old roots."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import DNSName, SubjectAlternativeName, load_pem_x509_certificate

from domain.certificate_authority import root_id
from domain.deployment import DEPLOYMENT_ID
from domain.errors import Corrupt, Refused, Usage
from domain.issued_certificate import IssuedCertificate
from domain.resource import Resource
from domain.sealed_value import sealed_values
from infra.control_plane import clean_install, log_verification, reissuing
from infra.control_plane.recovery import Report, Wish
from infra.database.url import open_database
from infra.log.record import decode_record
from projections.current import Current
from projections.shown import fields
from tests.backup_estate import FIRST_USE, Estate, estate, is_empty, lived_in, records_of, recover, recovered
from tests.infra.control_plane.installation import INPUTS, request

ROOT = root_id("root-1")
OLD_NAME, NEW_NAME = "node-1.azurestack.local", "node-1.other.local"
PUBLIC_KEY = (
    ec.generate_private_key(ec.SECP256R1())
    .public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    .decode()
)


def inputs(**changed: Any) -> dict[str, Any]:
    return {**deepcopy(INPUTS), **changed}


def with_inputs(**changed: Any) -> Wish:
    return replace(FIRST_USE, inputs=clean_install.parse_recovery_inputs(inputs(**changed)))


def issue(name: str, **arguments: Any) -> Any:
    given = {"subject": f"CN={name},O=Example", "validityDays": 365, "subjectAlternativeNames": [name], "root": ROOT}
    return request("IssueCertificate", **{**given, **arguments})


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    """An estate whose root issued certificates of every sort."""
    with estate(tmp_path_factory.mktemp("certified")) as made:
        made.record(
            request("CreateCertificateAuthority", name="root-1", subject="CN=Region root", validityDays=3650),
            issue(OLD_NAME),
            issue("10.0.2.20", subject="CN=bmc"),
            issue("held-elsewhere.example", publicKey=PUBLIC_KEY),
            issue("signer.example", extendedKeyUsage=["codeSigning"]),
            issue("revoked.example"),
        )
        [revoked] = [one for one in certificates(made) if names(one) == ["revoked.example"]]
        made.record(request("RevokeCertificate", id=revoked.id, reason="keyCompromise"))
        yield lived_in(made)


def certificates(of: Estate) -> list[Resource]:
    with of.plane.read() as reading:
        return list(reading.state.of_kind("issued-certificate"))


@contextmanager
def again(
    made: Estate, folder: Path, wish: Wish = FIRST_USE, url: str | None = None
) -> Iterator[tuple[Estate, Report]]:
    with recovered(made.copied(folder), folder / "new", url, wish) as (found, report):
        yield found, report


def names(certificate: Resource) -> list[str]:
    return cast(IssuedCertificate, certificate.state)["subjectAlternativeNames"]


def test_tls_certificates_are_issued_anew_under_the_root_that_was_kept(
    certified: Estate, tmp_path: Path, store_url: str
) -> None:
    with again(certified, tmp_path, url=store_url) as (found, report):
        before, after = ({one.id: one for one in certificates(of)} for of in (certified, found))
        assert report.first_records is not None
        leaves = report.first_records.leaves
        assert sorted(one.names[0] for one in leaves.reissued) == ["10.0.2.20", OLD_NAME]
        with found.plane.read() as reading, certified.plane.read() as old:
            root = reading.state.find(ROOT)
            assert root == old.state.find(ROOT)
            assert root is not None
        issuer = load_pem_x509_certificate(str(root.state["certificate"]).encode())
        for one in leaves.reissued:
            old_leaf, new_leaf = before[one.before], after[one.after]
            assert after[one.before].state["revocationReason"] == "superseded"
            assert names(new_leaf) == names(old_leaf)
            assert new_leaf.state["subject"] == old_leaf.state["subject"]
            old_x509, new_x509 = (
                load_pem_x509_certificate(str(leaf.state["certificate"]).encode()) for leaf in (old_leaf, new_leaf)
            )
            assert new_x509.public_key() != old_x509.public_key()
            new_x509.verify_directly_issued_by(issuer)
        assert len(after) == len(before) + 2
        assert report.counts["issued-certificate"] == len(before), "what came back, and not what was made since"
        log_verification.verify(found.database)
        with found.plane.read() as reading:
            [sealed] = sealed_values(after[leaves.reissued[0].after].state)
            key = found.plane.open_sealed(reading.session, sealed, sealed["purpose"], leaves.reissued[0].after)
            assert key, "it is in the keyring"


def test_what_is_not_issued_anew_is_told_with_the_reason(certified: Estate, tmp_path: Path) -> None:
    with again(certified, tmp_path) as (found, report):
        assert report.first_records is not None
        by_id = {one.id: one for one in certificates(found)}
        kept = {names(by_id[one.resource])[0]: one.reason for one in report.first_records.leaves.kept}
        assert kept.keys() == {"held-elsewhere.example", "signer.example"}
        assert kept["held-elsewhere.example"].startswith("its key is held elsewhere")
        assert kept["signer.example"] == "it is not for TLS"
        assert all("revokedOn" not in by_id[one.resource].state for one in report.first_records.leaves.kept)


def test_certificates_follow_the_names_and_addresses_of_the_new_inputs(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    old = inputs(nodes=[{"name": "node-1", "ipAddress": "10.0.1.11"}, {"name": "node-2", "ipAddress": "10.0.1.12"}])
    served = [OLD_NAME, "azurestack.local", "10.0.1.11", "10.0.1.12", "a.example"]
    moved = [{"name": "NODE-1", "ipAddress": "10.0.1.21"}, {"name": "node-3", "ipAddress": "10.0.1.12"}]
    with estate(tmp_path / "old") as made:
        made.record(request("ChangeDeploymentInputs", inputs=changeable(old)))
        made.record(
            request("CreateCertificateAuthority", name="root-1", subject="CN=Region root", validityDays=3650),
            issue(OLD_NAME, subjectAlternativeNames=served),
        )
        made.back_up()
        wish = with_inputs(nodes=moved, internalDomainName="other.local")
        with again(made, tmp_path, wish) as (_, report):
            assert report.first_records is not None
            [one] = report.first_records.leaves.reissued
            assert one.names == (NEW_NAME, "other.local", "a.example", "10.0.1.21", "10.0.1.12")
            changed = {str(change["field"]) for change in report.first_records.inputs}
            assert changed == {"internalDomainName", "nodes[0].name", "nodes[0].ipAddress", "nodes[1].name"}


def changeable(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name not in ("operator", "providerSubscription")}


def test_the_common_name_and_the_alternative_names_change_together(certified: Estate, tmp_path: Path) -> None:
    with again(certified, tmp_path, with_inputs(internalDomainName="other.local")) as (found, _):
        [new] = [one for one in certificates(found) if NEW_NAME in names(one)]
        certificate = load_pem_x509_certificate(str(new.state["certificate"]).encode())
        alternatives = certificate.extensions.get_extension_for_class(SubjectAlternativeName).value
        assert alternatives.get_values_for_type(DNSName) == [NEW_NAME]
        assert certificate.subject.rfc4514_string() == f"CN={NEW_NAME},O=Example"


def test_changed_inputs_are_an_event_of_the_recovery(certified: Estate, tmp_path: Path) -> None:
    with again(certified, tmp_path, with_inputs(timeServer="10.0.2.99")) as (found, report):
        end = certified.plane.head().position
        events = [decode_record(record).event for record in records_of(found.database)[end:]]
        assert [event["type"] for event in events[:2]] == ["deployment.recovered", "deployment.inputs-changed"]
        assert len({event["correlation"] for event in events}) == 1
        assert report.first_records is not None
        assert report.first_records.inputs == [{"field": "timeServer", "before": "10.0.2.10", "after": "10.0.2.99"}]
        with found.plane.read() as reading:
            deployment = reading.state.find(DEPLOYMENT_ID)
            assert deployment is not None
            assert dict(fields(deployment.state))["inputs.timeServer"] == "10.0.2.99"
        found.back_up()
        found.verify()


def test_the_same_inputs_change_nothing(certified: Estate, tmp_path: Path) -> None:
    with again(certified, tmp_path, with_inputs()) as (found, report):
        assert report.first_records is not None
        assert report.first_records.inputs == []
        types = [decode_record(record).event["type"] for record in records_of(found.database)]
        assert "deployment.inputs-changed" not in types


@pytest.mark.parametrize(
    ("name", "value"), [("region", "west"), ("externalDomainName", "other.example"), ("identityStore", "AzureAD")]
)
def test_what_is_for_ever_is_refused_by_name_and_the_store_stays_empty(
    certified: Estate, tmp_path: Path, store_url: str, name: str, value: str
) -> None:
    database = open_database(store_url, create=True)
    with pytest.raises(Refused, match=f"deployment input {name} is .* for ever, not {value}") as refusal:
        recover(database, tmp_path, certified.root, with_inputs(**{name: value}))
    assert refusal.value.rule == "deployment-input-immutable"
    assert is_empty(database)
    database.close()


def test_what_is_for_ever_is_refused_before_most_is_read(certified: Estate, tmp_path: Path) -> None:
    root = certified.copied(tmp_path)
    last = sorted((root / certified.deployment / "segments").iterdir())[-1]
    last.write_bytes(last.read_bytes()[:-1])
    database = open_database(f"sqlite:///{tmp_path}/target.db", create=True)
    with pytest.raises(Refused, match="region is east for ever"):
        recover(database, tmp_path, root, with_inputs(region="west"))
    with pytest.raises(Corrupt):
        recover(database, tmp_path, root, with_inputs(timeServer="10.0.2.99"))
    assert is_empty(database)
    database.close()


def test_inputs_that_contradict_each_other_are_refused_before_anything_is_read() -> None:
    overlapping = {**INPUTS["networks"], "bmc": "10.0.1.0/26"}
    with pytest.raises(Refused, match="overlaps"):
        with_inputs(networks=overlapping)
    with pytest.raises(Usage, match="timeServer"):
        clean_install.parse_recovery_inputs({key: value for key, value in INPUTS.items() if key != "timeServer"})


def test_the_file_of_the_clean_install_serves_and_its_operator_is_passed_over() -> None:
    both = (clean_install.parse_recovery_inputs(inputs()), clean_install.parse_recovery_inputs(changeable(inputs())))
    assert both[0] == both[1]


def test_certificates_that_expired_long_before_the_disaster_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    with estate(tmp_path / "old") as made:
        made.record(request("CreateCertificateAuthority", name="root-1", subject="CN=Root", validityDays=3650))
        made.record(issue(OLD_NAME))
        made.back_up()
        old = certificates(made)
        with made.plane.read() as reading:
            later = "2099-01-01T00:00:00.000000Z"
            leaves = reissuing.reissue(reading.state, old, later, later, str, lambda command: ["never"])
        assert leaves == reissuing.Leaves()


def test_a_root_that_was_replaced_hands_over(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    with estate(tmp_path / "old") as made:
        made.record(
            request("CreateCertificateAuthority", name="root-1", subject="CN=Root", validityDays=3650),
            issue(OLD_NAME),
            request("RotateCertificateAuthority", name="root-2", subject="CN=Next", validityDays=100, overlapDays=90),
        )
        made.back_up()
        with again(made, tmp_path) as (found, report):
            assert report.first_records is not None
            [one] = report.first_records.leaves.reissued
            assert one.after.startswith(root_id("root-2"))
            [new] = [two for two in certificates(found) if two.id == one.after]
            with found.plane.read() as reading:
                root = reading.state.find(root_id("root-2"))
            assert root is not None
            assert str(new.state["notAfter"]) <= str(root.state["notAfter"]), (
                "it asked for 365 days, of which 99 are left"
            )


def test_a_root_that_is_about_to_end_or_gone_signs_nothing(certified: Estate) -> None:
    leaf = next(one for one in certificates(certified) if OLD_NAME in names(one))
    with certified.plane.read() as reading:
        root = reading.state.find(ROOT)
        assert root is not None
        end = str(root.state["notAfter"])
        since = str(leaf.state["notAfter"])
        leaves = reissuing.reissue(reading.state, [leaf], since, end, str, lambda command: ["never"])
        assert [one.reason for one in leaves.kept] == [
            f"certificate authority {ROOT} ends {end}: rotate it, and issue this one anew"
        ]
    rootless = reissuing.reissue(Current(), [leaf], since, since, str, lambda command: ["never"])
    assert [one.reason for one in rootless.kept] == [
        "no certificate authority is active: create one, and issue it anew"
    ]
