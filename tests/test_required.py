"""A skip is a failure where everything is required, and is not elsewhere."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SKIPPED_TEST = "import pytest\ndef test_skipped():\n    pytest.skip('no engine')\n"
SKIPPED_MODULE = "import pytest\npytest.skip('no engine', allow_module_level=True)\n"
EXPECTED_FAILURE = "import pytest\n@pytest.mark.xfail(reason='known')\ndef test_fails():\n    assert False\n"


@pytest.mark.parametrize(
    ("source", "require_all", "exit_code"),
    [
        (SKIPPED_TEST, "0", pytest.ExitCode.OK),
        (SKIPPED_TEST, "1", pytest.ExitCode.TESTS_FAILED),
        (SKIPPED_MODULE, "0", pytest.ExitCode.NO_TESTS_COLLECTED),
        (SKIPPED_MODULE, "1", pytest.ExitCode.INTERRUPTED),
        (EXPECTED_FAILURE, "1", pytest.ExitCode.OK),
    ],
    ids=["skip", "required skip", "module", "required module", "expected failure"],
)
def test_a_skip_fails_where_all_is_required(
    tmp_path: Path, source: str, require_all: str, exit_code: pytest.ExitCode
) -> None:
    (tmp_path / "test_sample.py").write_text(source)
    command = [sys.executable, "-m", "pytest", "-p", "tests.required", "--rootdir", str(tmp_path), str(tmp_path)]
    environment = os.environ | {"RESURGAM_REQUIRE_ALL": require_all}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == exit_code, run.stdout + run.stderr
    assert ("was not run" in run.stdout) == (exit_code in (1, 2))
