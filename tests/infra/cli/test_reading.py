"""`resurgam get`, `history`, `diff` and `expiring`."""

import pytest

from tests.infra.cli.command_line import CommandLine, request, user, user_id
from tests.infra.cli.estate import CANARY, GROUP, OFFER, PLAN, QUOTA, SECRET, STRANGER, SUBSCRIPTION, TENANT

USER = f"/providers/Microsoft.Graph/directoryObjects/{user_id(1)}"


def position(cli: CommandLine) -> int:
    found: int = cli.done("log", "verify", "--json").json["size"]
    return found


class TestGet:
    def test_a_resource_is_shown_now_and_as_it_was(self, estate_anywhere: CommandLine) -> None:
        before = position(estate_anywhere)
        estate_anywhere.record(request("UpdateUser", objectId=user_id(1), displayName="Renamed"))
        now = estate_anywhere.done("get", USER, "--json").json
        then = estate_anywhere.done("get", USER, "--at", str(before), "--json").json
        assert (now["state"]["displayName"], then["state"]["displayName"]) == ("Renamed", "User 1")
        assert (now["position"], then["position"]) == (before + 1, before)
        assert (now["sequence"], then["sequence"]) == (2, 1)
        assert "Renamed" in estate_anywhere.done("get", USER.upper()).out, "ids are equal in any case"

    def test_an_instant_and_an_age_are_answered_at_their_position(self, estate_anywhere: CommandLine) -> None:
        [version] = estate_anywhere.done("history", USER, "--json").json["versions"]
        at = estate_anywhere.done("get", USER, "--at", version["recordedAt"], "--json").json
        assert at["state"]["id"] == USER
        assert estate_anywhere("get", USER, "--at", "1d").code == 4
        assert estate_anywhere.done("get", USER, "--at", "0s", "--json").json["position"] == position(estate_anywhere)

    def test_a_position_inside_a_command_is_answered_at_its_start(self, estate: CommandLine) -> None:
        version = f"{SECRET}/versions/{estate.done('get', SECRET, '--json').json['state']['currentVersion']}"
        [step] = estate.done("history", version, "--json").json["versions"]
        inside = step["position"] - 1
        result = estate("get", SECRET, "--at", str(inside), "--json")
        assert result.code == 4
        assert f"answered at {inside - 1}" in result.err

    def test_all_of_a_kind_are_listed(self, estate: CommandLine) -> None:
        shown = estate.done("get", "user", "--json").json
        assert [one["state"]["userPrincipalName"] for one in shown["resources"]] == [
            "operator-1@region.example",
            TENANT,
            STRANGER,
        ]
        table = estate.done("get", "user").out.splitlines()
        assert len(table) == 4
        assert len({line.index("@") - len("user-1") for line in table[2:]}) == 1, "columns are aligned"

    @pytest.mark.parametrize(
        ("arguments", "code"),
        [
            (("get", "unicorn"), 2),
            (("get", "/no/such"), 4),
            (("get", "user", "--at", "yesterday"), 2),
            (("get", "user", "--at", "999999"), 4),
            (("get", "user", "--at", "99999999999999999999999d"), 2),
            (("get", "user", "--at", "2026-11-03T14:00"), 2),
            (("history", "/no/such"), 4),
            (("diff", "5", "3"), 2),
            (("expiring", "--within", "soon"), 2),
        ],
    )
    def test_what_cannot_be_answered_is_one_clear_error(
        self, installed: CommandLine, arguments: tuple[str, ...], code: int
    ) -> None:
        result = installed(*arguments)
        assert result.code == code
        assert result.err.startswith("resurgam: ")
        assert result.err.count("\n") == 1
        assert result.out == ""

    def test_a_sealed_value_is_named_and_not_shown(self, estate: CommandLine) -> None:
        shown = estate.done("get", "secret-version", "--json")
        [version] = shown.json["resources"]
        assert set(version["state"]["value"]) == {"sealed", "keyId", "purpose", "version"}
        assert CANARY not in shown.out


class TestAs:
    def test_a_tenant_sees_its_subscription_with_offer_and_plans_only(self, estate_anywhere: CommandLine) -> None:
        def seen(kind: str, principal: str) -> list[str]:
            shown = estate_anywhere.done("get", kind, "--as", principal, "--json").json
            return [one["id"] for one in shown["resources"]]

        assert seen("subscription", TENANT) == [f"/subscriptions/{SUBSCRIPTION}"]
        assert (seen("offer", TENANT), seen("plan", TENANT)) == ([OFFER], [PLAN])
        assert seen("resource-group", TENANT) == [GROUP]
        assert (seen("compute-quota", TENANT), seen("user", TENANT)) == ([], [])
        assert seen("subscription", STRANGER) == []

    def test_what_may_not_be_seen_is_as_if_it_were_not_there(self, estate: CommandLine) -> None:
        for arguments in (("get", QUOTA), ("history", QUOTA)):
            hidden = estate(*arguments, "--as", STRANGER)
            missing = estate(*(argument.replace("small", "none") for argument in arguments), "--as", STRANGER)
            assert hidden.code == missing.code == 4
            assert hidden.err.replace("small", "none") == missing.err

    def test_a_diff_shows_only_what_may_be_seen(self, estate: CommandLine) -> None:
        shown = estate.done("diff", "0", "0s", "--as", TENANT, "--json").json
        ids = {one["id"] for one in shown["differences"]}
        assert {f"/subscriptions/{SUBSCRIPTION}", OFFER, PLAN} <= ids
        assert not any("directoryObjects" in one for one in ids)


class TestHistory:
    def test_every_version_says_who_when_why_and_what(self, installed_anywhere: CommandLine) -> None:
        installed_anywhere.record(user(1))
        changed = {**request("UpdateUser", objectId=user_id(1), displayName="Renamed"), "reason": "married"}
        installed_anywhere.record(changed)
        installed_anywhere.record(request("DeleteUser", objectId=user_id(1)))
        created, renamed, deleted = installed_anywhere.done("history", USER, "--json").json["versions"]
        assert [one["event"] for one in (created, renamed, deleted)] == ["user.created", "user.changed", "user.deleted"]
        assert renamed["changes"] == [{"field": "displayName", "before": "User 1", "after": "Renamed"}]
        assert (renamed["reason"], renamed["command"]["name"]) == ("married", "UpdateUser")
        assert (deleted["state"], [one["sequence"] for one in (created, renamed, deleted)]) == (None, [1, 2, 3])
        text = installed_anywhere.done("history", USER).out
        assert "displayName: User 1 -> Renamed" in text
        assert "married" in text

    def test_control_characters_do_not_reach_the_terminal(self, installed: CommandLine) -> None:
        installed.record({**user(1, displayName="A\u202eB"), "reason": "\x1b]0;owned\x07\u202e"})
        for arguments in (("history", USER), ("get", USER), ("diff", "0", "0s")):
            shown = installed.done(*arguments).out
            assert not {"\x1b", "\x07", "\u202e"} & set(shown)


class TestDiff:
    def test_created_changed_and_deleted_resources_are_named(self, installed_anywhere: CommandLine) -> None:
        installed_anywhere.record(user(1), user(2))
        before = position(installed_anywhere)
        installed_anywhere.record(
            request("DisableUser", objectId=user_id(1)), request("DeleteUser", objectId=user_id(2)), user(3)
        )
        shown = installed_anywhere.done("diff", str(before), str(before + 3), "--json").json
        assert (shown["from"], shown["to"]) == (before, before + 3)
        assert {one["id"][-1]: one["change"] for one in shown["differences"]} == {
            "1": "changed",
            "2": "deleted",
            "3": "created",
        }
        text = installed_anywhere.done("diff", str(before), "0s").out
        assert "accountEnabled: true -> false" in text

    def test_nothing_changed_between_a_position_and_itself(self, installed: CommandLine) -> None:
        assert installed.done("diff", "5", "5", "--json").json["differences"] == []


class TestExpiring:
    def test_a_credential_that_runs_out_is_found_in_time(self, estate: CommandLine) -> None:
        shown = estate.done("expiring", "--within", "800d", "--json").json["expiring"]
        assert [(one["kind"], one["severity"], one["expired"]) for one in shown] == [
            ("password-credential", "information", False)
        ]
        assert estate.done("expiring", "--json").json["expiring"] == []
        assert "password-credential" in estate.done("expiring", "--within", "200w").out

    def test_the_past_is_asked_about_at_its_own_time(self, estate: CommandLine) -> None:
        assert estate.done("expiring", "--within", "800d", "--at", "1", "--json").json["expiring"] == []
