"""The file of deployment inputs, in YAML."""

from pathlib import Path
from typing import Any

import yaml

from domain.errors import Usage
from infra.cli import file

BYTES_MAX = 1024 * 1024


def read(path: Path) -> Any:
    """Return what a file says; Usage, naming the line, if it is not YAML."""
    data = file.read(path, BYTES_MAX)
    try:
        return yaml.safe_load(data)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}" if mark is not None else ""
        raise Usage(f"{path} is not YAML{place}: {getattr(error, 'problem', None) or 'it cannot be read'}") from None
