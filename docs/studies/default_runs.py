"""Whether default runs of one machine agree: what each recommends, decides and says of its headline ratios.

    python docs/studies/default_runs.py RUN.json RUN.json ...

Prints a table of Markdown, a row a run. A headline ratio of one run is held against that of all runs
together, which is read by the same rule; the half-widths are those of the 95 % intervals, in per cent.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.answers.loading import loaders
from bench.answers.settings import advice_of
from bench.answers.words import interval
from bench.records.run import Block, Run
from bench.results.run_file import read_run
from bench.stats.estimates import Mean
from bench.stats.ratios import against_baseline, log_effects

LOADERS = "loader_workers"
COUNTS, TUTORIAL = (0, 1, 2, 4), 5
# Part, variant, against which, which is the baseline or not.
HEADLINES = (
    ("hybridize/step", "hybridized", "imperative", True),
    ("hybridize/step", "static", "imperative", True),
    ("hybridize/step", "whole_graph", "imperative", True),
    ("second_head/step", "both", "digits", True),
    ("second_head/step", "both", "separate", False),
)


def main() -> None:
    """The table, and the counts below it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=Path, nargs="+")
    runs = [read_run(path) for path in parser.parse_args().runs]
    together = [_mean([block for run in runs for block in run.blocks.get(h[0], [])], h) for h in HEADLINES]
    print("| run | calm rounds | an epoch as recommended | workers | what limits the tutorial's epoch |")
    print("|---|---|---|---|---|")
    for number, run in enumerate(runs, 1):
        print(f"| {number} | {' | '.join(_row(run))} |")
    held, widths = 0, []
    for run in runs:
        for headline, whole in zip(HEADLINES, together, strict=True):
            ends = _mean(run.blocks[headline[0]], headline).interval()
            held += ends.low <= whole.value <= ends.high
            widths.append(100 * (ends.high - ends.low) / 2)
    print(f"\nHeadline ratios that hold that of all runs: {held} of {len(widths)}; ", end="")
    print(f"median half-width {np.median(widths):.1f} %.\n")
    print("| ratio | of all runs | lowest and highest of a run |\n|---|---|---|")
    for headline, whole in zip(HEADLINES, together, strict=True):
        each = np.exp([_mean(run.blocks[headline[0]], headline).value for run in runs])
        name = f"{headline[0]}: {headline[1]} over {headline[2]}"
        ends = np.exp([whole.interval().low, whole.interval().high])
        print(f"| {name} | {np.exp(whole.value):.3f} ({ends[0]:.3f} to {ends[1]:.3f}) | ", end="")
        print(f"{each.min():.3f}, {each.max():.3f} |")


def _mean(blocks: list[Block], headline: tuple[str, str, str, bool]) -> Mean:
    _, variant, other, is_baseline = headline
    return (against_baseline if is_baseline else log_effects)(blocks, variant, other).mean()


def _row(run: Run) -> list[str]:
    parts = ("loading", "epoch", "threads")
    results = {p: run.measured[f"{LOADERS}/{p}"] for p in parts if f"{LOADERS}/{p}" in run.measured}
    cores = round(run.machine.cores_granted) if run.machine else 1
    said = loaders(results, COUNTS, TUTORIAL, cores) if {"loading", "epoch"} <= results.keys() else []
    workers = said[0].partition(":")[0].partition(" for the")[0] if said else "not measured"
    limits = next(
        (s.rpartition("; ")[2] for s in said if s.startswith("The tutorial's epoch")), "not measured"
    )
    advice = advice_of(run.measured)
    gain = "none" if advice is None or advice.ratio is None else interval(advice.ratio)
    calm = run.weather.calm_share if run.weather else None
    share = "" if calm is None else f"{calm:.0%}"
    return [share, gain, workers, limits.rstrip(".")]


if __name__ == "__main__":
    main()
