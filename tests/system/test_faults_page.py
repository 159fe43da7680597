"""The page of faults names tests that there are."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_that_the_page_of_faults_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "explanation" / "faults.md").read_text("utf-8")))
    tests = {
        name for path in ROOT.glob("tests/**/*.py") for name in re.findall(r"def (test_\w+)\(", path.read_text("utf-8"))
    }
    assert named
    assert sorted(named - tests) == []


def test_every_row_of_the_page_of_faults_names_a_test() -> None:
    lines = (ROOT / "docs" / "explanation" / "faults.md").read_text("utf-8").splitlines()
    rows = [line for line in lines if line.startswith("|") and not line.startswith(("|---", "| fault |"))]
    assert rows
    assert [row for row in rows if "`test_" not in row] == []
