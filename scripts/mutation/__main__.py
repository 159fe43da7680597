"""Takes out each check of the modules that refuse damaged backups, and runs the tests that should miss it."""

import argparse
import gc
import importlib
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import CodeType, FunctionType

from scripts.mutation.mutant import Mutant, mutants

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 300
CRASHED = 99
SELECTED = " and ".join(
    f"not {word}"
    for word in ("postgres", "s3", "azure", "smb", "every_flipped", "every_single", "any_changed_byte", "trunc")
)
"""Neither tests that need a server, nor those that go through every byte."""

BACKUP, CONTROL_PLANE = "tests/infra/backup", "tests/infra/control_plane"
EVERY = ("tests/system/test_checks.py",)
"""Breaks most checks, and is quick."""
TESTS = {
    "infra/backup/attestation.py": (f"{BACKUP}/test_attestation.py", f"{BACKUP}/test_freshness.py"),
    "infra/backup/choice.py": (f"{BACKUP}/test_choice.py", f"{CONTROL_PLANE}/test_recovery.py"),
    "infra/backup/comparison.py": (f"{BACKUP}/test_rebuild.py", f"{CONTROL_PLANE}/test_verified_backup.py"),
    "infra/backup/continuation.py": (f"{BACKUP}/test_continuation.py", f"{BACKUP}/test_run.py"),
    "infra/backup/cutter.py": (f"{BACKUP}/test_cutter.py",),
    "infra/backup/draft.py": (f"{BACKUP}/test_draft.py", f"{BACKUP}/test_run.py", f"{BACKUP}/test_continuation.py"),
    "infra/backup/endorsement.py": (f"{BACKUP}/test_endorsement.py", "tests/system/test_faults.py"),
    "infra/backup/freshness.py": (f"{BACKUP}/test_freshness.py",),
    "infra/backup/keyring_file.py": (f"{BACKUP}/test_keyring_file.py", f"{BACKUP}/test_verification.py"),
    "infra/backup/lines_file.py": (f"{BACKUP}/test_lines_file.py", f"{BACKUP}/test_run.py"),
    "infra/backup/manifest.py": (f"{BACKUP}/test_manifest.py", f"{BACKUP}/test_repository.py"),
    "infra/backup/prune_statement.py": (f"{BACKUP}/test_prune_statement.py", f"{BACKUP}/test_gaps.py"),
    "infra/backup/pruning.py": (f"{BACKUP}/test_lost_races.py", f"{BACKUP}/test_pruning.py", f"{BACKUP}/test_gaps.py"),
    "infra/backup/rebuild.py": (f"{BACKUP}/test_rebuild.py", f"{CONTROL_PLANE}/test_recovery.py"),
    "infra/backup/repository.py": (
        f"{BACKUP}/test_repository.py",
        f"{BACKUP}/test_gaps.py",
        f"{BACKUP}/test_prune_statement.py",
        "tests/system/test_faults.py",
    ),
    "infra/backup/retention.py": (f"{BACKUP}/test_retention.py", f"{BACKUP}/test_pruning.py"),
    "infra/backup/run.py": (
        f"{BACKUP}/test_lost_races.py",
        f"{BACKUP}/test_run.py",
        f"{BACKUP}/test_pruning_beside_runs.py",
    ),
    "infra/backup/segment.py": (f"{BACKUP}/test_verification.py", f"{CONTROL_PLANE}/test_verified_backup.py"),
    "infra/backup/signed_document.py": (f"{BACKUP}/test_manifest.py", f"{BACKUP}/test_prune_statement.py"),
    "infra/backup/verification.py": (f"{BACKUP}/test_verification.py", f"{BACKUP}/test_attestation.py"),
    "infra/control_plane/recovery.py": (f"{CONTROL_PLANE}/test_recovery.py", "tests/system/test_faults.py"),
}


def _install(mutant: Mutant) -> None:
    """Give the functions of a module the code that they have in the mutant."""
    name = ".".join(mutant.path.with_suffix("").parts)
    importlib.import_module(name)
    codes = {(code.co_qualname, code.co_firstlineno): code for code in _codes(compile(mutant.tree, name, "exec"))}
    changed = 0
    for function in gc.get_objects():
        if isinstance(function, FunctionType) and function.__module__ == name:
            code = codes.get((function.__code__.co_qualname, function.__code__.co_firstlineno))
            if code is not None:
                function.__code__ = code
                changed += 1
    assert changed, f"no function of {name} has this check"


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def main() -> int:
    """Run the tests against every mutant; 1 if one of them passes all of its tests."""
    arguments = _arguments()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    _preload()
    total, survivors = 0, []
    for path in map(Path, arguments.modules or TESTS):
        tests = [name for name in (*EVERY, *TESTS[str(path)]) if Path(name).exists()]
        if (outcome := _run(None, tests, arguments.k)) != "passed":
            print(f"{path}: without a mutation its tests are {outcome}")
            return 2
        for mutant in mutants(path):
            if arguments.line and mutant.line not in arguments.line:
                continue
            began, outcome = time.monotonic(), _run(mutant, tests, arguments.k)
            total += 1
            print(f"{'SURVIVED' if outcome == 'passed' else outcome:8} {time.monotonic() - began:5.1f} s  {mutant}")
            sys.stdout.flush()
            if outcome in ("passed", "crashed"):
                survivors.append(mutant)
    print(f"\n{total} mutants, {len(survivors)} survived")
    for mutant in survivors:
        print(f"  {mutant}")
    return 1 if survivors else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/mutate", description=__doc__)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="all if none is named")
    parser.add_argument("--line", type=int, action="append", help="only the checks on this line; may be repeated")
    parser.add_argument("-k", default=SELECTED, help="as pytest's own")
    return parser.parse_args()


def _preload() -> None:
    """Import the program, so that no mutant has to."""
    import infra.cli.app
    import tests.backup_estate

    assert infra.cli.app
    assert tests.backup_estate


def _run(mutant: Mutant | None, tests: Sequence[str], selected: str) -> str:
    """Return `passed`, `killed` or `hangs`: what the tests do in a process in which the mutant is the module."""
    with tempfile.TemporaryFile() as output:
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            os.setpgid(0, 0)
            for descriptor in (1, 2):
                os.dup2(output.fileno(), descriptor)
            code = _tested(mutant, tests, selected)
            sys.stdout.flush()
            os._exit(code)
        deadline = time.monotonic() + TIMEOUT_S
        while (status := os.waitpid(child, os.WNOHANG))[0] == 0:
            if time.monotonic() > deadline:
                os.killpg(child, signal.SIGKILL)
                os.waitpid(child, 0)
                return "hangs"
            time.sleep(0.05)
        outcome = {0: "passed", 1: "killed"}.get(os.waitstatus_to_exitcode(status[1]), "crashed")
        if outcome == "crashed" or (mutant is None and outcome != "passed"):
            output.seek(0)
            print(output.read().decode()[-2_000:])
    return outcome


def _tested(mutant: Mutant | None, tests: Sequence[str], selected: str) -> int:
    import pytest

    try:
        if mutant is not None:
            _install(mutant)
        return pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-k", selected, *tests])
    except BaseException:  # noqa: BLE001 (whatever it is, the mutant did it)
        traceback.print_exc()
        return CRASHED


if __name__ == "__main__":
    sys.exit(main())
