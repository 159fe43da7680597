"""Foreign implementations of age, installed once into a cached temporary folder: the tests' independent judges.

What cannot be installed skips the test with its reason, or fails it where RESURGAM_REQUIRE_ALL=1.
"""

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Literal

from tests.installed import installed, missing

_NPM_PACKAGE = "age-encryption@0.3.1"
_NPM_SCRIPT = """
import { Decrypter, Encrypter, identityToRecipient } from "age-encryption";
import { readFileSync } from "node:fs";

const { operation, key, data } = JSON.parse(readFileSync(0, "utf8"));
const input = Buffer.from(data, "base64");
const operations = {
  encrypt: async () => { const e = new Encrypter(); e.addRecipient(key); return e.encrypt(input); },
  decrypt: async () => { const d = new Decrypter(); d.addIdentity(key); return d.decrypt(input); },
  recipient: async () => identityToRecipient(key),
};
process.stdout.write(Buffer.from(await operations[operation]()).toString("base64"));
"""


def vectors(name: str) -> Path:
    """A folder of test vectors made by others."""
    root = os.environ.get("RESURGAM_VECTORS") or Path(__file__).parents[4].parent / "shared" / "vectors"
    folder = Path(root) / name
    if not folder.is_dir():
        missing(f"there are no vectors at {folder}: RESURGAM_VECTORS names another place")
    return folder


def age_command() -> Path:
    """The `age` command, with `age-keygen` beside it: the installed one, or Debian's package unpacked."""
    return _age_folder() / "age"


def age_version() -> tuple[int, int]:
    """Major and minor version of `age_command`; post-quantum files need 1.3."""
    shown = subprocess.run([age_command(), "--version"], capture_output=True, check=True, text=True).stdout
    major, minor, *_ = shown.strip().lstrip("v").split(".")
    return int(major), int(minor)


def npm_age(operation: Literal["encrypt", "decrypt", "recipient"], key: str, data: bytes = b"") -> bytes:
    """Run npm's `age-encryption`; `key` is a recipient to encrypt, an identity to decrypt or to derive a recipient."""
    request = json.dumps({"operation": operation, "key": key, "data": base64.b64encode(data).decode()})
    command: list[str | Path] = ["node", _npm_folder() / "age.mjs"]
    done = subprocess.run(command, input=request.encode(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return base64.b64decode(done.stdout)


def _age_folder() -> Path:
    found = shutil.which("age")
    if found:
        return Path(found).parent
    folder = installed("age", _unpack_debian_age)
    if folder is None:
        missing("age is not installed and apt-get could not download it")
    return folder / "usr" / "bin"


def _npm_folder() -> Path:
    if not shutil.which("npm"):
        missing("npm is not installed, which brings age-encryption")
    folder = installed(_NPM_PACKAGE, _install_npm_age)
    if folder is None:
        missing(f"npm could not install {_NPM_PACKAGE}")
    return folder


def _unpack_debian_age(folder: Path) -> None:
    subprocess.run(["apt-get", "download", "age"], cwd=folder, capture_output=True, check=True)
    (package,) = folder.glob("age_*.deb")
    subprocess.run(["dpkg-deb", "--extract", package, folder], capture_output=True, check=True)


def _install_npm_age(folder: Path) -> None:
    subprocess.run(["npm", "install", "--prefix", folder, _NPM_PACKAGE], cwd=folder, capture_output=True, check=True)
    (folder / "age.mjs").write_text(_NPM_SCRIPT)
