"""`--report`: one report in three forms, looked at before the work begins, whole or not there."""

import json
import os
import stat
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from domain.errors import Unavailable
from infra.cli import file, report, report_file, report_html
from tests.infra.cli.command_line import CommandLine, request, user
from tests.infra.cli.estate import CANARY, CLIENT_SECRET, VAULT
from tests.infra.control_plane.installation import PASSWORD

RECOVER = ("recover", "backups", "--identity", "identity.txt", "--trust-first-use")
DRILL = ("backup", "drill", "--repository", "backups", "--identity", "identity.txt", "--trust-first-use")
INTO = ("--store", "sqlite:///recovered.db", "--root-key-file", "new.root-key")
HOSTILE = "</td><script>alert('x')</script>&amp;\u202e\u001b[2J"
FORMS = ("html", "json", "txt")


@pytest.fixture
def backed_up(estate: CommandLine) -> CommandLine:
    """A small estate whose only backup, a verified one, lies in the folder `backups`."""
    recipient = estate.done("key", "generate", "--output", "identity.txt").out.strip()
    result = estate.record(
        request("AddBackupRecipient", name="safe", recipient=recipient),
        request("SetSecret", vaultId=VAULT, name="old", value="x", exp=1_600_000_000),
        user(8, displayName="Zoë <b>&"),
    )
    assert result.code == 0, result.out
    estate.done("backup", "run", "--verified", "--repository", "backups")
    return estate


class Page(HTMLParser):
    """What a browser would see of a page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_three_forms_say_the_same(backed_up: CommandLine) -> None:
    recovered = backed_up.done(*RECOVER, *INTO, "--report", "first.json", "--json").json
    assert json.loads(Path("first.json").read_text()) == recovered
    for form in ("html", "txt"):
        backed_up.done(*RECOVER, *INTO, "--report", f"report.{form}")
    texts = [Page(Path("report.html").read_text()).text, Path("report.txt").read_text()]
    for text in texts:
        words = " ".join(text.split())
        assert f"the deployment is open as {recovered['deployment']}" in words
        assert f"position {recovered['lastRecoveredChange']['position']}" in words
        for part in ("access answers", "state digest", "out of scope", "expired", "backup run", "keep the old"):
            assert part in words, part
        assert [c["name"] for c in recovered["comparisons"] if c["name"] not in words] == []
        assert recovered["plan"]["signer"]["fingerprint"] in words
        for area, kinds in recovered["counts"].items():
            for kind, count in kinds.items():
                assert area in words
                assert f"{kind} {count}" in words or f"{kind}{count}" in words


def test_a_report_that_is_shown_again_is_in_the_same_order(backed_up: CommandLine) -> None:
    first, again = (backed_up.done(*RECOVER, *INTO).out for _ in range(2))
    assert again == first


def test_a_page_needs_nothing_and_loads_nothing(backed_up: CommandLine) -> None:
    backed_up.done(*RECOVER, *INTO, "--report", "report.html")
    text = Path("report.html").read_text()
    page = Page(text)
    assert page.open == []
    assert page.tags == {"html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "table", "tr", "th", "td"}
    assert page.attributes == {"lang", "charset", "http-equiv", "content"}
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src 'none'" in text


def test_whatever_stands_in_a_state_is_shown_and_never_obeyed() -> None:
    answer = described()
    answer["lastRecoveredChange"]["resource"] = HOSTILE
    answer["expiring"] = [{"expired": True, "expires": HOSTILE, "resource": HOSTILE, "what": HOSTILE}]
    answer["plan"]["deployment"] = HOSTILE
    answer["next"] = [HOSTILE]
    shown = report_html.html(answer)
    page = Page(shown)
    assert "script" not in page.tags
    assert page.text.count("<script>alert('x')</script>&amp;") >= 6
    for text in (shown, report.text(answer)):
        assert "\u202e" not in text
        assert "\u001b" not in text


def described() -> dict[str, Any]:
    """A report with every part."""
    return {
        "plan": {
            "deployment": "d", "ancestor": "a", "manifest": 1, "createdAt": "now", "release": "1.0",
            "positions": {"first": 1, "last": 2}, "checkpoint": "2:x", "answers": None,
            "signer": {"fingerprint": "f", "trust": "Named"},
        },
        "deployment": "new",
        "rootKeyFile": "file",
        "lastRecoveredChange": {
            "position": 2, "recordedAt": "then", "type": "t", "resource": "r", "actor": {"os_user": "o"},
            "ageSeconds": 5,
        },
        "counts": {"vaults": {"vault": 1}},
        "comparisons": [{"name": "position", "result": "equal"}],
        "inputsChanged": [{"field": "timeServer", "before": "a", "after": "b"}],
        "certificatesReissued": [{"before": "x", "after": "y", "names": ["n"]}],
        "certificatesKept": [{"resource": "z", "reason": "because"}],
        "destroyedValues": [{"resource": f"lost-{n}", "shreddedAt": n} for n in range(3)],
        "survivors": {
            "survivors": 3, "recovered": 2, "kinds": ["user"],
            "phantom": {"count": 1, "first": [{"resource": "ghost", "kind": "user"}]},
            "unknown": {"count": 1, "first": [{"survivor": "newcomer", "line": 7}]},
            "drifted": {"count": 1, "first": [{"resource": "moved", "fields": [
                {"field": "city", "sealed": False, "recovered": "old", "survived": "new"},
                {"field": "key", "sealed": True, "recovered": None, "survived": None}]}]},
        },
        "expiring": [{"expired": False, "expires": "soon", "resource": "cert", "what": "CN=x"}],
        "providersToRestoreByHand": ["provider-1"],
        "federationToReestablish": ["partner-1"],
        "notRecovered": {"records": 4, "first": [], "outOfScope": "workloads"},
        "next": ["do this"],
    }  # fmt: skip


@pytest.mark.parametrize(
    "said",
    ["timeServer", "because", "lost-2", "ghost", "newcomer", "line 7", "moved", "not compared", "CN=x", "provider-1",
     "partner-1", "beyond the asked moment: 4", "workloads", "do this", "holds none", "5 s ago"],
)  # fmt: skip
def test_every_part_stands_in_every_form(said: str) -> None:
    for form in report_file.FORMS.values():
        text = form(described()).decode()
        assert said in text or form is report_file.FORMS[".json"], said


def test_a_page_stays_short_and_says_what_it_leaves_out() -> None:
    answer = described()
    answer["providersToRestoreByHand"] = [f"provider-{n:04d}" for n in range(500)]
    page = report_html.html(answer)
    assert page.count("provider-") == report_html.ROWS_MAX
    assert f"and {500 - report_html.ROWS_MAX} more: the report in JSON has them" in page
    assert report.text(answer).count("provider-") == 500


@pytest.mark.parametrize("form", FORMS)
def test_no_secret_stands_in_a_report_and_only_its_owner_reads_it(backed_up: CommandLine, form: str) -> None:
    for arguments in ((*RECOVER, *INTO, "--report", f"recovery.{form}"), (*DRILL, "--report", f"drill.{form}")):
        backed_up.done(*arguments)
        path = Path(arguments[-1])
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        text = path.read_text()
        keys = [Path(name).read_text().split()[-1] for name in ("identity.txt", "new.root-key")]
        assert [s for s in (CANARY, CLIENT_SECRET, PASSWORD, *keys) if s in text] == []
    assert not [path for path in Path().iterdir() if path.name.endswith(".partial")]


def test_a_drill_has_a_report_of_its_own(backed_up: CommandLine) -> None:
    drilled = backed_up.done(*DRILL, "--report", "drill.html", "--json").json
    page = Page(Path("drill.html").read_text()).text
    assert "Drill of deployment" in page
    assert drilled["attestation"] is None
    assert [one["what"] for one in drilled["expiring"] if one["expired"]] == [""]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("report.pdf", 2),
        ("report", 2),
        ("nowhere/report.html", 4),
        ("there.html", 3),
        ("shut/r.html", 8),
    ],
)
def test_a_path_that_cannot_be_written_is_refused_before_the_recovery_begins(
    backed_up: CommandLine, monkeypatch: pytest.MonkeyPatch, path: str, code: int
) -> None:
    Path("there.html").write_text("precious")
    Path("shut").mkdir()
    access = os.access
    monkeypatch.setattr(os, "access", lambda of, mode: str(of) != "shut" and access(of, mode))
    for arguments in ((*RECOVER, *INTO), DRILL):
        refused = backed_up(*arguments, "--report", path)
        assert refused.code == code
        assert path.split("/")[0] in refused.err
    assert not Path("recovered.db").exists()
    assert not Path("new.root-key").exists()
    assert Path("there.html").read_text() == "precious"


def test_a_report_that_could_not_be_written_in_the_end_is_had_by_the_same_command_again(
    backed_up: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(file, "create_private", full)
        failed = backed_up(*RECOVER, *INTO, "--report", "report.html")
    assert failed.code == 8
    assert "the deployment is open as" in failed.out, "what was done is told all the same"
    assert not Path("report.html").exists()
    again = backed_up.done(*RECOVER, *INTO, "--report", "report.html")
    assert "done already" in again.err
    assert Path("report.html").exists()


def full(path: Path, data: bytes) -> None:
    raise Unavailable(f"{path} cannot be written: No space left on device")


def test_a_plan_has_no_report(backed_up: CommandLine) -> None:
    assert backed_up(*RECOVER, "--plan", "--report", "report.html").code == 2
