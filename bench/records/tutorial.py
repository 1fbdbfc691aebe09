"""The tutorial's training steps as result files name them."""

from __future__ import annotations

from bench.records.run import Case
from bench.records.shared import BATCH_SIZE as BATCH_SIZE

STEPS = "bench.workloads.steps:"  # whose FLOP are known by formula
STEP, SEPARATE = STEPS + "StepWorkload", STEPS + "SeparateNetworks"
MODE = "hybridized"


def is_step(case: Case) -> bool:
    """Whether it computes steps of the tutorial's network, or parts of one, on batches at hand."""
    return case.workload.startswith(STEPS)


def is_whole_step(case: Case) -> bool:
    """Whether it is a training step of all heads, at the tutorial's batch size and compiled as there."""
    settings = case.settings
    whole = settings.get("part", "step") == "step" and "heads" not in settings
    as_there = settings.get("batch_size") == BATCH_SIZE and settings.get("mode") == MODE
    return whole and as_there and case.workload == STEP
