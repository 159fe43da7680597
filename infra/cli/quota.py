"""`resurgam quota`: what a subscription may use, and whether a request would be admitted."""

import json
import re
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from domain.errors import Usage
from domain.tenancy import subscription_id, subscription_of
from infra.cli import deployment, errors, output, settings
from infra.cli.options import At, Json, Store, example, group
from projections import admission, quota
from projections.admission import Admission
from projections.quota import Amounts, ServiceQuota

AMOUNT = re.compile(r"(?P<service>[a-z-]+)\.(?P<field>[A-Za-z0-9]+)=(?P<amount>\d{1,18})")

app = group("Quotas.")


@app.command(
    name="quota",
    epilog=example(
        "resurgam quota 4b1d… --request compute.coresLimit=8 --use compute.coresLimit=96",
        """resurgam quota 4b1d… --resource '{"type":"Microsoft.Compute/virtualMachines","location":"east"}'""",
    ),
)
def show(
    scope: Annotated[
        str,
        typer.Argument(metavar="SUBSCRIPTION", help="Its GUID or id, or the id of a scope in it.", show_default=False),
    ],
    request: Annotated[
        list[str] | None, typer.Option("--request", metavar="SERVICE.FIELD=N", help="What is asked for on top; repeat.")
    ] = None,
    use: Annotated[
        list[str] | None, typer.Option("--use", metavar="SERVICE.FIELD=N", help="What is in use already; repeat.")
    ] = None,
    resource: Annotated[
        str | None, typer.Option(metavar="JSON", help="The resource to create, for policies.", show_default=False)
    ] = None,
    at: At = None,
    as_json: Json = False,
    store: Store = None,
) -> None:
    """Show a subscription's quotas, and ask whether a request would be admitted.

    With --request or --resource the exit code is 0 if it would be and 3 if not.
    """
    asked_scope = scope if scope.startswith("/") else subscription_id(scope)
    requested, used, described = _amounts(request, "--request"), _amounts(use, "--use"), _resource(resource)
    is_question = bool(request or use or resource)
    with deployment.asking(settings.load(store=store), at) as asked:
        world = asked.reading.state
        quotas = quota.effective_quotas(world, subscription_of(asked_scope))
        answer = admission.admit(world, asked_scope, requested, used, described) if is_question else None
        position = asked.reading.moment.position
    if as_json:
        shown = {"position": position, "subscription": subscription_of(asked_scope), "quotas": quotas}
        output.write_json(shown if answer is None else {**shown, "admission": answer})
    else:
        _write(list(quotas.values()), answer)
    if answer is not None and not answer.admitted:
        raise typer.Exit(errors.REFUSED)


def _amounts(given: Sequence[str] | None, option: str) -> Amounts:
    amounts: dict[str, dict[str, int]] = {}
    for text in given or ():
        match = AMOUNT.fullmatch(text)
        if match is None:
            raise Usage(f"{option} {text!r}: write SERVICE.FIELD=N, such as compute.coresLimit=8")
        amounts.setdefault(match["service"], {})[match["field"]] = int(match["amount"])
    return amounts


def _resource(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        value = json.loads(text)
    except ValueError as error:
        raise Usage(f"--resource is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise Usage("--resource is not a JSON object")
    return value


def _write(quotas: list[ServiceQuota], answer: Admission | None) -> None:
    unlimited: dict[str, object] = {"": "unlimited"}
    rows = [(q.service, field, limit) for q in quotas for field, limit in (q.limits or unlimited).items()]
    output.write_table(("service", "field", "limit"), rows)
    if answer is None:
        return
    output.write_text("admitted" if answer.admitted else "not admitted")
    if answer.quota.reason:
        output.write_text(f"  {answer.quota.reason}")
    for v in answer.quota.violations:
        by = ", ".join(v.quotas) or "the service is not offered"
        output.write_text(f"  {v.service} {v.field}: {v.requested} on top of {v.used} exceed {v.limit} ({by})")
    for finding in answer.policies:
        output.write_text(f"  {finding.outcome}: {finding.reason} ({finding.assignment})")
