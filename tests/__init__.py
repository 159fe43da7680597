"""The tests; contracts, which pytest does not collect, still say what differs when they fail."""

import pytest

pytest.register_assert_rewrite("tests.contracts")
