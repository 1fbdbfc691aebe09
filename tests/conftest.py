"""How every test runs: no time limit on a drawn example, the same examples on every CI run."""

from __future__ import annotations

import os

try:
    from hypothesis import settings
except ModuleNotFoundError:  # pytest-benchmark's own commands load this file, after any install
    pass
else:
    # A shared machine stalls at any time: an example's duration says nothing about the code.
    settings.register_profile("work", deadline=None)
    settings.register_profile("ci", deadline=None, derandomize=True)
    settings.load_profile("ci" if os.environ.get("CI") else "work")

# What the tests start is no part of xdist, under which pytest-benchmark would measure nothing.
os.environ.pop("PYTEST_XDIST_WORKER", None)
