"""What a run takes where no option says otherwise, and where its results lie."""

from __future__ import annotations

from pathlib import Path

BUDGET, QUICK_BUDGET = "5m", "1m"  # of a whole run; of one with --quick
SEED = 0  # of the random order of rounds
RESULTS = Path(".benchmarks") / "mtl-bench"  # in the current folder
