"""`resurgam key`: makes identities, and shows the public halves of what there is."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from domain.backup_recipient import BackupRecipient, encryption, kind_of, recipients
from domain.errors import Usage
from infra.backup import endorsement, memory
from infra.backup.age import (
    AgeRecipient,
    X509Recipient,
    fingerprint,
    format_identity,
    generate_identity,
    is_pfx,
    parse_recipient,
)
from infra.cli import deployment, file, identity_file, output, repository, settings
from infra.cli.options import Json, RootKeyFile, Store, example, group
from infra.log import head, wrapping

IDENTITY_BYTES_MAX = 1024 * 1024

app = group("Make and inspect keys.")


@app.command(epilog=example("resurgam key generate --output identity.txt"))
def generate(
    target: Annotated[
        Path,
        typer.Option(
            "--output", metavar="FILE", help="A new file of mode 0600, never overwritten.", show_default=False
        ),
    ],
    classical: Annotated[
        bool, typer.Option("--classical", help="Make an X25519 key, which older readers of age know too.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make an identity, which opens backups, and print the recipient that backups are encrypted to.

    Keep the identity offline. Without it no backup can be recovered, and with it every backup can be read.
    """
    identity = generate_identity(post_quantum=not classical)
    file.create_private(target, format_identity(identity, created=datetime.now(UTC)).encode())
    recipient = identity.recipient
    if as_json:
        output.write_json(_described(str(recipient)))
    else:
        output.write_text(str(recipient))
        output.note(
            f"the identity is in {target}: keep it offline; the recipient's fingerprint is {fingerprint(recipient)}"
        )


@app.command(epilog=example("resurgam key recipient office.cer", "resurgam key recipient identity.txt"))
def recipient(
    source: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A certificate (.cer, PEM or DER), or an identity.", show_default=False),
    ],
    as_json: Json = False,
) -> None:
    """Print the recipient that backups are encrypted to, of a certificate or of an identity.

    Record it with AddBackupRecipient. Of a certificate only the RSA key is used; whoever has its private key, in a PFX,
    opens the backups.
    """
    content = file.read(source, IDENTITY_BYTES_MAX)
    is_certificate = b"-----BEGIN CERTIFICATE" in content or (content[:1] == b"\x30" and not is_pfx(content))
    found: list[AgeRecipient] = [X509Recipient.of(content)] if is_certificate else []
    found = found or [one.recipient for one in identity_file.read(source)]
    if as_json:
        output.write_json({"recipients": [_described(str(one)) for one in found]})
    else:
        output.write_text("\n".join(map(str, found)))


@app.command(epilog=example("resurgam key inspect", "resurgam key inspect --identity identity.txt"))
def inspect(
    identity: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Show the recipients of these identities.", show_default=False)
    ] = None,
    as_json: Json = False,
    store: Store = None,
    root_key_file: RootKeyFile = None,
) -> None:
    """Show the deployment's signer, root key id and backup recipients, or the recipients of an identity file."""
    if identity is not None:
        found = [_described(str(one.recipient)) for one in identity_file.read(identity)]
        if as_json:
            output.write_json({"identities": found})
        else:
            output.write_table(("fingerprint", "kind", "recipient"), [list(one.values()) for one in found])
        return
    with deployment.opened(settings.load(store=store, root_key_file=root_key_file)) as plane, plane.read() as reading:
        at = head.read_open(reading.session)
        verifier = memory.get_signer(reading.session, plane.root_key).verifier
        used = wrapping.read(reading.session)
        endorsed_by = [entry.fingerprint for entry in memory.endorsements(reading.session)]
        known: list[dict[str, Any]] = [
            {
                "name": r["id"],
                "label": r["label"],
                "mayMix": r["mayMix"],
                **_described(r["recipient"]),
                **_certificate(r),
            }
            for r in recipients(reading.state)
        ]
    answer = {
        "deployment": at.deployment,
        "epoch": at.epoch,
        "verifier": str(verifier),
        "fingerprint": verifier.fingerprint,
        "endorsedBy": endorsed_by,
        "rootKey": plane.root_key.id,
        "rootKeySince": used.since if used is not None else None,
        "encryption": encryption(kind_of(one["recipient"]) for one in known) if known else None,
    }
    if as_json:
        output.write_json({**answer, "recipients": known})
        return
    output.write_fields(answer.items())
    rows = [(k["name"], k["label"], k["fingerprint"], k["kind"], k.get("notAfter") or "") for k in known]
    output.write_table(("recipient", "label", "fingerprint", "kind", "certificate until"), rows)


def _certificate(of: BackupRecipient) -> dict[str, str]:
    found = of.get("certificate")
    return {"subject": found["subject"], "notAfter": found["notAfter"]} if found else {}


def _described(recipient: str) -> dict[str, str]:
    parsed = parse_recipient(recipient)
    kind = encryption([kind_of(recipient)])
    return {"fingerprint": fingerprint(parsed), "kind": kind, "recipient": recipient}


@app.command(
    epilog=example(
        "resurgam key endorse 'resurgam/…+…+…' --identity identity.txt   # offline, where the identity is",
        "resurgam key endorse --accept 'resurgam-endorsement-1 …'        # on the deployment",
    )
)
def endorse(
    verifier: Annotated[
        str | None, typer.Argument(metavar="VERIFIER", help="The signer's public half, as `key inspect` shows it.")
    ] = None,
    identity: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The identity whose holder vouches for it.", show_default=False)
    ] = None,
    accept: Annotated[
        str | None,
        typer.Option(metavar="ENDORSEMENT", help="Put it into every manifest from now on.", show_default=False),
    ] = None,
    as_json: Json = False,
    store: Store = None,
    root_key_file: RootKeyFile = None,
) -> None:
    """Vouch for a deployment's signer with an identity, or take such an endorsement into the deployment.

    With it a recovery believes the signer without asking. The first form needs no store, the second no identity.
    """
    if accept is not None and verifier is None and identity is None:
        entry = endorsement.from_text(accept)
        chosen = settings.load(store=store, root_key_file=root_key_file)
        with deployment.opened(chosen) as plane, plane.database.write() as session:
            memory.put_endorsement(session, entry)
        answer = {"accepted": entry.fingerprint}
        output.write_json(answer) if as_json else output.write_fields(answer.items())
        return
    if accept is not None or verifier is None or identity is None:
        raise Usage("give a VERIFIER and --identity FILE, or --accept ENDORSEMENT")
    named = repository.parse_verifier(verifier)
    assert named is not None
    entries = [endorsement.to_text(endorsement.endorse(one, named)) for one in identity_file.read(identity)]
    output.write_json({"endorsements": entries}) if as_json else output.write_text("\n".join(entries))
