"""`resurgam authenticate`: checks a credential that is read from standard input."""

from typing import Annotated

import typer

from domain.errors import Refused, WrongKey
from domain.resource_id import name as last_segment
from domain.sealed_value import SealedValue
from infra.cli import deployment, file, output, settings
from infra.cli.options import Json, RootKeyFile, Store, example, group
from infra.control_plane.plane import ControlPlane, Reading
from infra.keys.password import verify_secret
from projections.login import Credential, LoginRefused, login

app = group("Authenticate.")


@app.command(epilog=example("resurgam authenticate user@region.example < password.txt"))
def authenticate(
    principal: Annotated[
        str,
        typer.Argument(
            help="A user principal name, the object id of a user or service principal, or an application id.",
            show_default=False,
        ),
    ],
    as_json: Json = False,
    store: Store = None,
    root_key_file: RootKeyFile = None,
) -> None:
    """Check a password or client secret, read from standard input.

    On a terminal it is asked for. Certificates are not checked here: they prove themselves by a signature. A credential
    that does not fit, or a name that nobody has, exits with 7; a disabled or a federated account with 3.
    """
    secret = file.read_secret(None, "credential").encode()
    with deployment.opened(settings.load(store=store, root_key_file=root_key_file)) as plane, plane.read() as reading:
        answer = login(reading.state, principal, plane.clock())
        if isinstance(answer, LoginRefused):
            raise _refusal(answer, principal)
        fitting = next((c for c in answer.credentials if _fits(plane, reading, c, secret)), None)
    if fitting is None:
        raise _wrong(principal)
    shown = {"principal": answer.principal, "objectId": last_segment(answer.principal), "credential": fitting.id}
    if as_json:
        output.write_json(shown)
    else:
        output.write_text(f"authenticated {answer.principal} by credential {fitting.id}")


def _fits(plane: ControlPlane, reading: Reading, credential: Credential, secret: bytes) -> bool:
    sealed: SealedValue | None = credential.sealed
    if sealed is None:
        return False
    phc = plane.open_sealed(reading.session, sealed, credential.purpose, credential.resource)
    return verify_secret(phc.decode(), secret)


def _refusal(answer: LoginRefused, principal: str) -> Refused | WrongKey:
    if answer.reason in ("disabled", "federated"):
        return Refused(answer.message, rule=f"login-{answer.reason}", resource=answer.resource)
    return _wrong(principal)


def _wrong(principal: str) -> WrongKey:
    """Return the one answer to all that is wrong: it does not tell which names exist."""
    return WrongKey(
        f"{principal} is not authenticated: the name or the credential is wrong, or the credential has expired"
    )
