"""`resurgam quota`: effective quotas, and whether a request would be admitted."""

import pytest

from tests.infra.cli.command_line import CommandLine
from tests.infra.cli.estate import GROUP, QUOTA, SUBSCRIPTION

CORES = "compute.coresLimit"
MACHINE = '{"type": "Microsoft.Compute/virtualMachines", "location": "%s"}'


def test_quotas_come_from_the_offers_plans(estate_anywhere: CommandLine) -> None:
    quotas = estate_anywhere.done("quota", SUBSCRIPTION, "--json").json["quotas"]
    assert quotas["compute"]["limits"]["coresLimit"] == 8
    assert [source["quota"] for source in quotas["compute"]["sources"]] == [QUOTA]
    assert "coresLimit" in estate_anywhere.done("quota", SUBSCRIPTION).out


def test_a_request_over_quota_is_not_admitted_and_names_the_numbers(estate_anywhere: CommandLine) -> None:
    asked = ("quota", SUBSCRIPTION, "--request", f"{CORES}=2", "--use")
    assert estate_anywhere(*asked, f"{CORES}=6").code == 0
    refused = estate_anywhere(*asked, f"{CORES}=7", "--json")
    assert refused.code == 3
    [violation] = refused.json["admission"]["quota"]["violations"]
    assert (violation["limit"], violation["used"], violation["requested"]) == (8, 7, 2)
    assert "2 on top of 7 exceed 8" in estate_anywhere(*asked, f"{CORES}=7").out


def test_a_request_against_a_denying_policy_is_not_admitted(estate: CommandLine) -> None:
    assert estate("quota", GROUP, "--resource", MACHINE % "east").code == 0
    refused = estate("quota", GROUP, "--resource", MACHINE % "west", "--json")
    assert refused.code == 3
    [finding] = refused.json["admission"]["policies"]
    assert finding["outcome"] == "deny"
    assert "deny" in estate("quota", GROUP, "--resource", MACHINE % "west").out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("99999999-9999-4999-8999-999999999999",), 4),
        (("/providers/Microsoft.Graph",), 4),
        ((SUBSCRIPTION, "--request", "cores"), 2),
        ((SUBSCRIPTION, "--request", "compute.unicorns=1"), 2),
        ((SUBSCRIPTION, "--request", "unicorns.coresLimit=1"), 2),
        ((SUBSCRIPTION, "--resource", "{"), 2),
        ((SUBSCRIPTION, "--resource", "[]"), 2),
    ],
)
def test_a_question_with_a_mistake_is_one_clear_error(
    estate: CommandLine, arguments: tuple[str, ...], code: int
) -> None:
    result = estate("quota", *arguments)
    assert result.code == code
    assert result.err.count("\n") == 1
