"""How often an interval over identical variants holds 1: one long stream of blocks, cut into short runs.

Run ``python docs/studies/control.py SECONDS [BLOCKS_A_RUN]``. The stream is the baseline of
``second_head/step`` against itself; pieces of it are disjoint, so each is a run of its own.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from bench.benchmarks.test_second_head import QUESTION
from bench.harness import LEAD_IN, Harness
from bench.questions import Group
from bench.records import CONTROL, Block
from bench.stats import Effects, log_effects
from bench.verdict import verdicts

BLOCKS_AN_INVOCATION = 60


def record(seconds: float) -> list[Block]:
    """Blocks of the baseline and its control until the time is over."""
    whole = next(group for group in QUESTION.groups() if group.part == "step")
    cases = {name: whole.cases[name] for name in (whole.baseline, CONTROL)}
    group = Group(question=QUESTION, part=whole.part, baseline=whole.baseline, cases=cases)
    harness, blocks, end = Harness(0, lead_in=LEAD_IN), [], time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            blocks.append(harness.measure(group))
            if len(blocks) % BLOCKS_AN_INVOCATION == 0:
                harness.next_invocation()
    finally:
        harness.close()
    return blocks


def main(seconds: float, size: int) -> None:
    """Record, cut, count."""
    blocks = record(seconds)
    effects = log_effects(blocks, CONTROL, QUESTION.baseline)
    count = len(effects.values)
    cuts = [slice(start, start + size) for start in range(0, count - size + 1, size)]
    pieces = [Effects(*(part[cut] for part in effects)).mean() for cut in cuts]
    intervals = [piece.interval() for piece in pieces]
    held = sum(i.low <= 0 <= i.high for i in intervals)
    widths = sorted((i.high - i.low) / 2 for i in intervals)
    said = [verdicts({"control": piece})["control"] for piece in pieces]
    print(f"{len(blocks)} blocks in {seconds:.0f} s, {np.median([b.seconds for b in blocks]):.2f} s each")
    print(
        f"from set-up to set-up {np.std(effects.values, ddof=1):.2%} (s.d.), mean {effects.mean().value:+.2%}"
    )
    print(f"{held} of {len(pieces)} runs of {size} blocks hold 1; median half-width {np.median(widths):.2%}")
    print("verdicts:", {verdict: said.count(verdict) for verdict in sorted(set(said))})
    starts = range(0, count, BLOCKS_AN_INVOCATION)
    between = [float(np.mean(effects.values[i : i + BLOCKS_AN_INVOCATION])) for i in starts]
    print("means of the invocations:", ", ".join(f"{mean:+.2%}" for mean in between))


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 10)
