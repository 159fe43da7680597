"""`resurgam key restore-root`: a lost root key over an intact store."""

from pathlib import Path
from typing import Annotated, Any

import typer

from domain.errors import Usage
from infra.cli import deployment, output, repository, settings, storage
from infra.cli.options import Json, RootKeyFile, Store, example, group
from infra.cli.repository import Identity, NamedVerifier, TrustFirstUse
from infra.control_plane import root_key_restoration
from infra.control_plane.root_key_restoration import Restored

app = group("Restore a lost root key.")


@app.command(
    "restore-root",
    epilog=example(
        "resurgam key restore-root file:///srv/backups --identity identity.txt --root-key-file new.root-key"
    ),
)
def restore_root(
    location: Annotated[str, typer.Argument(metavar="REPOSITORY", help="Where the backups live, file:///FOLDER.")],
    identity: Identity = None,
    accepts_loss: Annotated[
        bool,
        typer.Option("--accept-loss", help="Go on though sealed values are newer than the backup: they are destroyed."),
    ] = False,
    verifier: NamedVerifier = None,
    trust_first_use: TrustFirstUse = False,
    as_json: Json = False,
    store: Store = None,
    root_key_file: RootKeyFile = None,
) -> None:
    """Bring a store back whose root key is lost, with the keys of its newest backup.

    The store must be intact, and the backup its own. All its keys are wrapped by a new root key, in a new file, and
    each sealed value is opened once. The signer was lost too: the deployment goes on as a new one, with backups of its
    own. Refused (3), with a list, if values are newer than the backup, unless --accept-loss gives them up.
    """
    chosen = settings.load(store=store, root_key_file=root_key_file, repository=location)
    if chosen.root_key is not None:
        raise Usage("RESURGAM_ROOT_KEY is set, but a new root key is made in a file: unset it")
    identities = repository.identities(identity)
    opened = repository.opened(chosen)
    named = repository.parse_verifier(verifier)
    actor = deployment.local_actor(chosen)
    with storage.opened(chosen) as database:
        source = root_key_restoration.find(database, opened, identities, named, first_use=trust_first_use)
        restored = root_key_restoration.restore(
            database, chosen.root_key_file, source, actor, accepts_loss=accepts_loss
        )
    answer = _described(restored, chosen.root_key_file)
    steps = _next(restored, location, chosen.root_key_file)
    if as_json:
        output.write_json(answer | {"next": steps})
        return
    output.write_fields((name, value) for name, value in answer.items() if name != "lost")
    if restored.lost:
        output.write_table(("destroyed", "purpose"), [(one.resource, one.purpose) for one in restored.lost])
    output.write_text("next:\n" + "\n".join(f"  {step}" for step in steps))


def _described(restored: Restored, root_key_file: Path) -> dict[str, Any]:
    of = restored.source.stored.manifest
    return {
        "deployment": restored.head.deployment,
        "epoch": restored.head.epoch,
        "position": restored.head.position,
        "ancestor": of.deployment,
        "manifest": of.sequence,
        "backupPosition": of.last,
        "signerTrust": restored.source.trust,
        "rootKey": restored.root_key.id,
        "rootKeyFile": str(root_key_file),
        "keys": restored.keys,
        "lostKeys": len(restored.lost),
        "verifier": str(restored.verifier),
        "fingerprint": restored.verifier.fingerprint,
        "lost": [{"resource": one.resource, "purpose": one.purpose} for one in restored.lost],
    }


def _next(restored: Restored, location: str, root_key_file: Path) -> list[str]:
    steps = [
        f"copy {root_key_file} to where root keys are kept",
        f"resurgam backup run --repository {location}   # the first backup of this deployment, a full copy",
        "resurgam key inspect   # then, offline: resurgam key endorse VERIFIER --identity FILE",
        "start again whatever runs on this store",
    ]
    if restored.lost:
        steps.append("set again the secrets, passwords and certificates that are listed above")
    return steps
