"""A certificate as a backup recipient, from its file to a recovery with its PFX."""

import json
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.infra.cli.command_line import CommandLine, request, user
from tests.infra.control_plane.installation import INPUTS, PASSWORD
from tests.x509_recipients import certificate, der, pfx

PFX_PASSWORD = "canary-5d1e"
HERE = ("--repository", "backups")


@pytest.fixture
def held(installed: CommandLine, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """A deployment with a post-quantum recipient, and an office's certificate and PFX."""
    recipient = installed.done("key", "generate", "--output", "identity.txt").out.strip()
    installed.record(request("AddBackupRecipient", name="safe", recipient=recipient))
    made = certificate()
    Path("office.cer").write_bytes(der(made))
    Path("office.pfx").write_bytes(pfx(made, password=PFX_PASSWORD))
    Path("office.password").write_text(PFX_PASSWORD + "\n")
    monkeypatch.setenv("RESURGAM_IDENTITY_PASSWORD_FILE", "office.password")
    return installed


def add(cli: CommandLine, path: str = "office.cer", **arguments: Any) -> list[dict[str, Any]]:
    recipient = cli.done("key", "recipient", path).out.strip()
    return cli.record(request("AddBackupRecipient", name="office", recipient=recipient, **arguments)).lines


def test_a_deployment_is_recovered_with_the_pfx_of_its_certificate(held: CommandLine) -> None:
    assert add(held)[0]["status"] == "refused"
    [outcome] = add(held, mayMix=True, label="Office of operations")
    assert outcome["status"] == "recorded"
    held.record(user(1))
    told = held.done("backup", "run", *HERE, "--json").json
    assert told["encryption"] == "mixed"
    assert "mixed" in held.done("backup", "list", *HERE).out
    status = held.done("backup", "status", *HERE).out
    assert "mixed" in status
    assert "x509-rsa" in status
    shown = held.done("key", "inspect", "--json").json
    assert shown["encryption"] == "mixed"
    office = next(one for one in shown["recipients"] if one["label"] == "Office of operations")
    assert (office["subject"], office["mayMix"], office["kind"]) == ("CN=Backups of the region", True, "classical")

    verifier = shown["verifier"]
    [endorsement] = held.done("key", "endorse", verifier, "--identity", "office.pfx", "--json").json["endorsements"]
    held.done("key", "endorse", "--accept", endorsement)
    held.done("backup", "run", *HERE)
    drilled = held.done("backup", "drill", *HERE, "--identity", "office.pfx", "--json").json
    assert drilled["attestation"]
    verified = held.done("backup", "list", *HERE, "--identity", "office.pfx", "--json").json["deployments"][0]
    assert verified["verified"]["by"] == f"identity {office['fingerprint']}"
    assert held("key", "check", *HERE, "--identity", "office.pfx").code == 0

    recovered = held.done(
        "recover", "backups", "--identity", "office.pfx", "--store", "sqlite:///second.db", "--root-key-file", "second"
    )
    assert PFX_PASSWORD not in recovered.out + recovered.err
    [after, before] = [
        held.done("get", "user", "--store", f"sqlite:///{name}.db", "--json").json for name in ("second", "resurgam")
    ]
    assert after["resources"] == before["resources"]


def test_the_password_comes_from_standard_input_if_no_file_is_named(
    held: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RESURGAM_IDENTITY_PASSWORD_FILE")
    given = held.done("key", "inspect", "--identity", "office.pfx", "--json", stdin=PFX_PASSWORD.encode() + b"\n")
    [one] = given.json["identities"]
    [same] = held.done("key", "recipient", "office.cer", "--json").json["recipients"]
    assert one == same
    wrong = held("key", "inspect", "--identity", "office.pfx", stdin=b"canary-wrong")
    assert (wrong.code, "canary" in wrong.err) == (7, False)


def test_the_recipient_of_an_identity_is_printed_too(held: CommandLine) -> None:
    [shown] = held.done("key", "inspect", "--identity", "identity.txt", "--json").json["identities"]
    assert held.done("key", "recipient", "identity.txt").out.strip() == shown["recipient"]
    assert held.done("key", "recipient", "office.pfx").out == held.done("key", "recipient", "office.cer").out


def test_what_cannot_be_sealed_to_is_refused_before_it_is_recorded(held: CommandLine) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    Path("curve.cer").write_bytes(der(certificate(key)))
    refused = held("key", "recipient", "curve.cer")
    assert (refused.code, "EC (secp256r1)" in refused.err) == (2, True)
    assert held("key", "recipient", "none.cer").code == 4
    for begins, ends in ((-9, -1), (1, 9)):
        Path("other.cer").write_bytes(der(certificate(begins=timedelta(days=begins), ends=timedelta(days=ends))))
        [outcome] = add(held, "other.cer", mayMix=True)
        assert outcome["error"]["rule"] == "certificate-is-valid"


def test_a_certificate_that_runs_out_is_told_ahead(held: CommandLine) -> None:
    Path("short.cer").write_bytes(der(certificate(ends=timedelta(days=20))))
    add(held, "short.cer", mayMix=True)
    [ending] = [one for one in held.done("expiring", "--json").json["expiring"] if one["kind"] == "backup-recipient"]
    assert (ending["severity"], ending["what"]) == ("critical", "CN=Backups of the region")


def test_a_deployment_may_begin_with_a_certificate_beside_an_age_recipient(cli: CommandLine) -> None:
    Path("inputs.yaml").write_text(json.dumps(INPUTS))
    Path("password").write_text(PASSWORD)
    Path("office.cer").write_bytes(der(certificate()))
    office = cli.done("key", "recipient", "office.cer").out.strip()
    age = cli.done("key", "generate", "--output", "identity.txt", "--classical").out.strip()
    init = ("init", "inputs.yaml", "--operator-password-file", "password", "--recipient", f"office={office}")
    assert cli(*init).code == 3
    cli.done(*init, "--recipient", f"safe={age}")
    assert cli.done("key", "inspect", "--json").json["encryption"] == "classical"


def test_a_certificate_that_openssl_made_is_one_and_its_fingerprint_is_what_openssl_says(cli: CommandLine) -> None:
    subprocess.run(
        "openssl req -x509 -newkey rsa:3072 -nodes -keyout key.pem -out office.pem -subj /CN=office 2>/dev/null; "
        "openssl pkcs12 -export -inkey key.pem -in office.pem -out office.pfx -passout pass:",
        shell=True,
        check=True,
    )
    command = "openssl x509 -in office.pem -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum | cut -c1-16"
    fingerprint = subprocess.run(command, shell=True, capture_output=True, check=True, text=True).stdout.strip()
    [shown] = cli.done("key", "recipient", "office.pem", "--json").json["recipients"]
    assert shown["fingerprint"] == fingerprint
    assert cli.done("key", "recipient", "office.pfx").out.strip() == shown["recipient"]
