"""`resurgam access`: check, who and what."""

from tests.infra.cli.command_line import CommandLine, request, user_id
from tests.infra.cli.estate import GROUP, SECRET, STRANGER, SUBSCRIPTION, TENANT, VAULT
from tests.infra.control_plane.installation import OPERATOR_ID

WRITE = "Microsoft.Compute/virtualMachines/write"
READER = "/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"


def test_what_is_allowed_is_answered_with_its_path(estate_anywhere: CommandLine) -> None:
    owner = estate_anywhere.done("access", "check", TENANT, WRITE, GROUP, "--json").json
    assert (owner["allowed"], owner["principal"]) == (True, user_id(1))
    assert owner["path"]["scope"] == f"/subscriptions/{SUBSCRIPTION}"
    assert "allowed" in estate_anywhere.done("access", "check", OPERATOR_ID, WRITE, GROUP).out


def test_what_is_denied_exits_with_3_and_says_why(estate_anywhere: CommandLine) -> None:
    denied = estate_anywhere("access", "check", STRANGER, WRITE, GROUP, "--json")
    assert (denied.code, denied.json["allowed"], denied.err) == (3, False, "")
    assert denied.json["reason"] == "no-role-names-it"
    assert estate_anywhere("access", "check", STRANGER, WRITE, GROUP).out.startswith("denied: ")


def test_access_is_answered_for_the_past_too(estate: CommandLine) -> None:
    before = estate.done("log", "verify", "--json").json["size"]
    estate.record(request("AssignRole", scopeId=GROUP, roleDefinitionId=READER, principalId=user_id(2)))
    question = ("access", "check", STRANGER, "Microsoft.Compute/virtualMachines/read", GROUP)
    assert estate(*question).code == 0
    assert estate(*question, "--at", str(before)).code == 3


def test_what_is_in_a_vault_is_governed_by_its_access_policies(estate: CommandLine) -> None:
    get = "Microsoft.KeyVault/vaults/secrets/getSecret/action"
    assert estate("access", "check", TENANT, get, SECRET).code == 0
    assert estate("access", "check", TENANT, "secrets/get", VAULT).code == 0
    assert estate("access", "check", OPERATOR_ID, "secrets/get", SECRET).code == 3, "roles do not reach into vaults"
    assert estate("access", "check", TENANT, "secrets/get", GROUP).code == 4
    [holder] = estate.done("access", "who", "secrets/get", VAULT, "--json").json["holders"]
    assert holder["principal"] == user_id(1)


def test_who_may_is_answered_with_how(estate: CommandLine) -> None:
    holders = estate.done("access", "who", WRITE, GROUP, "--json").json["holders"]
    assert {holder["principal"]: holder["path"]["role"] for holder in holders} == {
        OPERATOR_ID: "Owner",
        user_id(1): "owner of the subscription",
    }
    assert OPERATOR_ID in estate.done("access", "who", WRITE, GROUP).out


def test_what_a_principal_may_do_is_its_roles(estate: CommandLine) -> None:
    [holding] = estate.done("access", "what", TENANT, "--json").json["holdings"]
    assert holding["path"]["scope"] == f"/subscriptions/{SUBSCRIPTION}"
    assert holding["permissions"][0]["actions"] == ["*"]
    assert "Owner" in estate.done("access", "what", "operator-1@region.example").out


def test_a_principal_that_does_not_exist_is_not_found(estate: CommandLine) -> None:
    for name in ("nobody@region.example", "99999999-9999-4999-8999-999999999999", ""):
        assert estate("access", "check", name, WRITE, "/").code == 4


def test_a_scope_that_is_no_id_is_a_usage_error(estate: CommandLine) -> None:
    assert estate("access", "check", TENANT, WRITE, "subscriptions").code == 2
