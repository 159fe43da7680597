"""`resurgam init`: a new deployment from its deployment inputs."""

from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr

from domain.backup_recipient import X509, AddBackupRecipient, kind_of
from domain.errors import Usage
from domain.release import RELEASE
from infra.cli import deployment, file, inputs_file, output, settings, storage
from infra.cli.options import Json, RootKeyFile, Store, example, group
from infra.cli.settings import Settings
from infra.control_plane import clean_install, store
from infra.database.url import shown
from infra.keys.root_key import FileRootKey, RootKey

app = group("Make a new deployment.")


@app.command(
    epilog=example("resurgam init inputs.yaml --recipient safe=age1pq1… --operator-password-file password.txt"),
)
def init(
    inputs: Annotated[Path, typer.Argument(help="The deployment inputs, in YAML.", show_default=False)],
    recipient: Annotated[
        list[str] | None,
        typer.Option("--recipient", metavar="NAME=RECIPIENT", help="Encrypt backups to it; repeat for several."),
    ] = None,
    operator_password_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The first operator's password, else asked for.", show_default=False),
    ] = None,
    as_json: Json = False,
    store_url: Store = None,
    root_key_file: RootKeyFile = None,
) -> None:
    """Clean install: make a new deployment from its deployment inputs.

    The store must be empty. The root key file is made if there is none. The inputs name the first operator, who gets
    the role Owner at '/' and owns the Default Provider Subscription. If anything is refused, the store stays empty.
    """
    chosen = settings.load(store=store_url, root_key_file=root_key_file)
    parsed = clean_install.parse_inputs(inputs_file.read(inputs))
    recipients = sorted(map(_recipient, recipient or ()), key=lambda one: kind_of(one.recipient) == X509)
    password = SecretStr(file.read_secret(operator_password_file, "password of the first operator"))
    with storage.opened(chosen, create=True) as database:
        store.ensure_empty(database)
        root_key = _root_key(chosen)
        actor = deployment.local_actor(chosen)
        installed = clean_install.install(database, root_key, parsed, password, recipients, actor)
    answer = {
        "deployment": installed.head.deployment,
        "epoch": installed.head.epoch,
        "release": RELEASE,
        "store": shown(chosen.store),
        "position": installed.head.position,
        "operator": installed.operator,
        "providerSubscription": installed.provider_subscription,
        "rootKey": root_key.id,
        "rootKeyFile": "" if chosen.root_key else str(chosen.root_key_file),
        "verifier": str(installed.signer.verifier),
        "fingerprint": installed.signer.verifier.fingerprint,
    }
    if as_json:
        output.write_json(answer)
        return
    output.write_fields(answer.items())
    output.note("keep a copy of the root key and of the fingerprint, apart from the store and from the backups")


def _recipient(text: str) -> AddBackupRecipient:
    name, mark, recipient = text.partition("=")
    if not name or not mark:
        raise Usage("--recipient: write NAME=age1…")
    return clean_install.backup_recipient(name, recipient)


def _root_key(chosen: Settings) -> RootKey:
    """Return the root key; its file is made if there is none."""
    if chosen.root_key is None and not chosen.root_key_file.exists():
        return FileRootKey.create(chosen.root_key_file)
    return chosen.load_root_key()
