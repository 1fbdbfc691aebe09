"""Every round of a run in order of time, few enough to draw."""

from __future__ import annotations

from bench.records.run import Block, Measured
from reports.model.charts import Rounds, RoundSeries
from reports.model.page import Fold
from reports.model.thinning import by_size, in_time
from reports.model.units import scaled


def fold(part: str, variants: dict[str, Measured], blocks: list[Block]) -> Fold | None:
    """The rounds of one part of a question; nothing where a file has none."""
    series = tuple(round_series(variant, blocks) for variant in variants)
    series = tuple(one for one in series if one.count)
    if not series:
        return None
    total = sum(one.count for one in series)
    quickest = min(one.by_size_s[0] for one in series)
    slowest = max(one.by_size_s[-1] for one in series)
    drawn = sum(len(one.times_s) for one in series)
    less = f" {drawn:,} are drawn: the quickest and slowest of each stretch." if drawn < total else ""
    said = (
        f"{total:,} rounds of {len(series)} variants over {len(blocks)} set-ups in order of time; "
        f"an iteration took {scaled(quickest, 's')} to {scaled(slowest, 's')}.{less}"
    )
    chart = Rounds(
        title=f"Every round of {part}",
        said=said,
        series=series,
        set_ups=tuple(tuple(variants[one.name].times_s) for one in series),
    )
    return Fold(title=f"Every round of {part}: {total:,} rounds in order of time", charts=(chart,))


def round_series(variant: str, blocks: list[Block]) -> RoundSeries:
    """One variant's rounds, thinned."""
    all_rounds = [
        (number, block.index, timed.iteration_s)
        for block in blocks
        if variant in block.set_ups
        for number, timed in enumerate(block.set_ups[variant].rounds)
    ]
    times = [seconds for _, _, seconds in all_rounds]
    kept = in_time(times)
    return RoundSeries(
        name=variant,
        order=tuple(place + 1 for place in kept),
        times_s=tuple(times[place] for place in kept),
        set_ups=tuple(all_rounds[place][1] + 1 for place in kept),
        by_size_s=tuple(by_size(times)),
        count=len(times),
    )
