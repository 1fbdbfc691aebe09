"""What a run takes where no option says otherwise, and where its results go."""

from __future__ import annotations

from pathlib import Path

BUDGET, QUICK_BUDGET = "5m", "1m"  # of a whole run; of one with --quick
GATE_BUDGET = "60s"  # of each comparison of two revisions
SEED = 0  # of the random order of rounds
RESULTS = Path(".benchmarks") / "mtl-bench"  # in the current folder
