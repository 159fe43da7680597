"""How random tests run here: without time limits, from one seed that the header shows and `RESURGAM_SEED` repeats."""

import os
import secrets

import pytest
from hypothesis import settings

# Kept in the environment so that all worker processes have the same one.
SEED = int(os.environ.setdefault("RESURGAM_SEED", str(secrets.randbelow(2**32))))

settings.register_profile("resurgam", deadline=None, derandomize=False, print_blob=True, database=None)
settings.load_profile("resurgam")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if config.option.hypothesis_seed is None:
        config.option.hypothesis_seed = SEED


def pytest_report_header() -> str:
    return f"random tests repeat with RESURGAM_SEED={SEED}"
