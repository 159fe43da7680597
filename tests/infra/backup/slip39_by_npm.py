"""npm's `slip39`: another implementation of SLIP-39, installed once, as the tests' independent judge."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.installed import installed, missing

PACKAGE = "slip39@0.1.9"
SCRIPT = """
const slip39 = require("slip39");
const shares = JSON.parse(require("fs").readFileSync(0, "utf8"));
process.stdout.write(Buffer.from(slip39.recoverSecret(shares, "")).toString("hex"));
"""


def recovered(shares: list[str]) -> bytes:
    """The secret that shares join to."""
    done = subprocess.run(
        ["node", "-e", SCRIPT], cwd=_folder(), input=json.dumps(shares).encode(), capture_output=True, check=True
    )
    return bytes.fromhex(done.stdout.decode())


def vectors() -> list[tuple[str, list[str], str]]:
    """The vectors of SLIP-39, which the package carries: what it is, the shares, and the secret in hex or nothing."""
    content: Any = json.loads((_folder() / "node_modules" / "slip39" / "test" / "vectors.json").read_text())
    return [(one[0], one[1], one[2]) for one in content]


def _folder() -> Path:
    if not shutil.which("npm"):
        missing("npm is not installed, which brings slip39")
    folder = installed(PACKAGE, _install)
    if folder is None:
        missing(f"npm could not install {PACKAGE}")
    return folder


def _install(folder: Path) -> None:
    subprocess.run(["npm", "install", "--prefix", folder, PACKAGE], cwd=folder, capture_output=True, check=True)
