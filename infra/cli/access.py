"""`resurgam access`: may a principal do something, who may, and what may a principal do, each with its path."""

import re
from typing import Annotated, Any

import typer

from domain.access_policy import SECRET_PERMISSIONS
from domain.errors import NotFound
from domain.resource_id import check as check_id
from domain.resource_id import parent_scopes
from domain.scope import VAULT_TYPE, resource_type
from infra.cli import deployment, errors, output, settings
from infra.cli.options import At, Json, Store, example, group
from projections import access, vault_access
from projections.access import Decision, Path
from projections.vault_access import VaultDecision

VAULT_PERMISSION = re.compile(r"(?i)(keys|secrets|certificates|storage)/[a-z]+")
_PERMISSION_OF = {action.casefold(): f"secrets/{permission}" for action, permission in SECRET_PERMISSIONS.items()}

app = group("Ask who may do what, and by which roles.")

Principal = Annotated[
    str, typer.Argument(help="An object id, a user principal name or an application id.", show_default=False)
]
Action = Annotated[
    str,
    typer.Argument(
        help="Such as Microsoft.Compute/virtualMachines/start/action; for a vault's content also secrets/get.",
        show_default=False,
    ),
]
Scope = Annotated[str, typer.Argument(help="A resource id, or / for the root.", show_default=False)]
Data = Annotated[bool, typer.Option("--data", help="It is a data action.")]


@app.command(
    epilog=example("resurgam access check user@region.example Microsoft.Compute/virtualMachines/write /subscriptions/…")
)
def check(
    principal: Principal,
    action: Action,
    scope: Scope,
    data: Data = False,
    at: At = None,
    as_json: Json = False,
    store: Store = None,
) -> None:
    """May PRINCIPAL do ACTION on SCOPE? The exit code is 0 if it may and 3 if not.

    What is in a vault is governed by the vault's access policies alone.
    """
    with deployment.asking(settings.load(store=store), at) as asked:
        world = asked.reading.state
        who = deployment.object_id(world, principal)
        vault = _vault_question(action, check_id(scope))
        decision: Decision | VaultDecision
        if vault is None:
            decision = access.check(world, who, action, scope, data=data)
        else:
            decision = vault_access.vault_check(world, who, *vault)
        position = asked.reading.moment.position
    if as_json:
        output.write_json({"position": position, "principal": who, **output.plain(decision)})
    else:
        output.write_text(f"{'allowed' if decision.allowed else 'denied'}: {decision.text}")
        for line in _path_lines(decision):
            output.write_text(f"  {line}")
    if not decision.allowed:
        raise typer.Exit(errors.REFUSED)


@app.command(epilog=example("resurgam access who Microsoft.KeyVault/vaults/write /subscriptions/…"))
def who(
    action: Action, scope: Scope, data: Data = False, at: At = None, as_json: Json = False, store: Store = None
) -> None:
    """Who may do ACTION on SCOPE? Users and service principals; groups stand in their paths."""
    with deployment.asking(settings.load(store=store), at) as asked:
        world = asked.reading.state
        vault = _vault_question(action, check_id(scope))
        holders: list[dict[str, Any]]
        if vault is None:
            holders = [output.plain(holder) for holder in access.who(world, action, scope, data=data)]
        else:
            permitted = vault_access.vault_who(world, *vault)
            holders = [
                {"principal": one, **output.plain(vault_access.vault_check(world, one, *vault))} for one in permitted
            ]
        position = asked.reading.moment.position
    if as_json:
        output.write_json({"position": position, "holders": holders})
        return
    rows = [(holder["principal"], _described(holder)) for holder in holders]
    output.write_table(("principal", "by"), rows)


@app.command(epilog=example("resurgam access what user@region.example --at 30d"))
def what(principal: Principal, at: At = None, as_json: Json = False, store: Store = None) -> None:
    """What may PRINCIPAL do? Its roles, by itself, through groups, and as the owner of subscriptions."""
    with deployment.asking(settings.load(store=store), at) as asked:
        world = asked.reading.state
        holdings = access.what(world, deployment.object_id(world, principal))
        position = asked.reading.moment.position
    if as_json:
        output.write_json({"position": position, "holdings": holdings})
        return
    rows = [(h.path.role, h.path.scope, h.path.assignment, " > ".join(h.path.groups)) for h in holdings]
    output.write_table(("role", "scope", "assignment", "groups"), rows)


def _vault_question(action: str, scope: str) -> tuple[str, str] | None:
    """Return (permission, vault) if the action is one on a vault's content, which access policies decide."""
    permission = _PERMISSION_OF.get(action.casefold())
    if permission is None and VAULT_PERMISSION.fullmatch(action):
        permission = action
    if permission is None:
        return None
    vault = next((s for s in parent_scopes(scope) if resource_type(s).casefold() == VAULT_TYPE.casefold()), None)
    if vault is None:
        raise NotFound(f"{scope} is in no vault: {action} is asked of a vault or of what is in one")
    return permission, vault


def _path_lines(decision: Decision | VaultDecision) -> list[str]:
    if isinstance(decision, VaultDecision):
        return [f"through {group}" for group in decision.groups]
    path: Path | None = decision.path
    if path is None:
        return []
    return [f"by {path.assignment or path.role}", *(f"through {group}" for group in path.groups)]


def _described(holder: dict[str, Any]) -> str:
    path = holder.get("path")
    return f"{path['role']} at {path['scope']}" if path else str(holder.get("text", ""))
