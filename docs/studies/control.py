"""How often an interval over identical variants holds 1: one long stream of blocks, cut into short runs.

Run ``python docs/studies/control.py SECONDS [BLOCKS_A_RUN]``. The stream is ``second_head/step``, all
variants as a run measures them; told is the baseline against itself. Pieces of the stream are disjoint, so
each is a run of its own.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from bench.benchmarks.test_second_head import QUESTION
from bench.harness.rounds import LEAD_IN, Harness
from bench.records.run import CONTROL, Block
from bench.stats.ratios import log_effects
from bench.stats.verdict import verdicts

BLOCKS_AN_INVOCATION = 30


def record(seconds: float) -> list[Block]:
    """Blocks of the group until the time is over."""
    group = next(group for group in QUESTION.groups() if group.part == "step")
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
    count = len(blocks)
    starts = range(0, count - size + 1, size)  # each run weighs its rounds by itself
    runs = [log_effects(blocks[start : start + size], CONTROL, QUESTION.baseline) for start in starts]
    pieces, effects = [run.mean() for run in runs], log_effects(blocks, CONTROL, QUESTION.baseline)
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
    firsts = range(0, count, BLOCKS_AN_INVOCATION)
    between = [effects.part(i, i + BLOCKS_AN_INVOCATION).mean().value for i in firsts]
    print("means of the invocations:", ", ".join(f"{mean:+.2%}" for mean in between))


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 10)
