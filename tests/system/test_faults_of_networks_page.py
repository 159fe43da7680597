"""The page of faults of networks, credentials, clocks and attackers names tests that there are."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_that_the_page_names_exists() -> None:
    text = (ROOT / "docs" / "explanation" / "faults-of-networks.md").read_text("utf-8")
    named = set(re.findall(r"`(test_\w+)`", text))
    sources = [path.read_text("utf-8") for path in ROOT.glob("tests/**/*.py")]
    tests = {name for source in sources for name in re.findall(r"def (test_\w+)\(", source)}
    assert named
    assert sorted(named - tests) == []
