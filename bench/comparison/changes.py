"""Each benchmark's ratios and times in several runs, and whether they changed.

The set-ups of two runs are independent, so the logarithms of their ratios differ by Welch's t
(:func:`bench.stats.estimates.combined`), and the verdicts share one error rate by Holm
(:mod:`bench.stats.verdict`), one for all ratios and times together.

Times of two runs are another matter even on one machine. The interval within a run knows how set-ups
differ, not how the machine differs from hour to hour. So a time is faster or slower only beyond a wider
band: the tolerance, and on top of it the larger of ``DRIFT`` and how far the machine's own ceilings moved
between the runs. What lies inside that band is undecided: it may be the code's or the drift's. Such times
are never called the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from bench.comparison.cases import Key, in_both, keys_of, name_of
from bench.records.comparison import BenchmarkChange, ComparedBenchmark, Figure, Judgement, RunPair
from bench.records.run import Ceilings, Measured, Run, Verdict
from bench.stats.estimates import Mean, combined, exponential, mean_of
from bench.stats.ratios import against_baseline, log_times, only
from bench.stats.verdict import verdicts
from bench.workloads.flop import flop_per_image

Place = tuple[str, Key]  # label of a run, and the benchmark or question
DRIFT = 0.05  # what a machine's speed is taken to differ by from one hour to another, at least
MATRIX_PRODUCTS = ("mxnet_gflop_per_s", "numpy_gflop_per_s")
CEILINGS = (*MATRIX_PRODUCTS, "memory_gb_per_s", "python_loops_per_s")


def pair_of(other: str, runs: dict[str, Run], tolerance: float, drift: float) -> RunPair:
    """The first run and another: one class or not, and the band for their times."""
    first, second = next(iter(runs.values())), runs[other]
    one, two = first.machine, second.machine
    unlike = one.unlike(two) if one and two else []
    moved = _ceiling_ratios(first.ceilings, second.ceilings)
    alike = bool(one and two) and not unlike
    furthest = max((abs(math.log(ratio)) for ratio in moved.values()), default=0.0)
    band = (1 + tolerance) * max(1 + drift, math.exp(furthest)) - 1 if alike else tolerance
    return RunPair(label=other, alike=alike, unlike=unlike, ceilings=moved, time_band=band)


def _ceiling_ratios(first: Ceilings | None, other: Ceilings | None) -> dict[str, float]:
    if first is None or other is None:
        return {}
    return {name: getattr(other, name) / getattr(first, name) for name in CEILINGS}


def changed_benchmarks(
    names: list[Key], runs: dict[str, Run], pairs: list[RunPair], tolerance: float
) -> list[ComparedBenchmark]:
    """Every benchmark of the runs, and how its time and ratio changed in each pair."""
    changes: dict[Key, list[BenchmarkChange]] = {key: [] for key in names}
    first = next(iter(runs.values()))
    ratios: dict[Place, Mean] = {}
    times: dict[Place, Mean] = {}
    for pair in pairs:
        for key in names:
            both = (first, runs[pair.label])
            beside = in_both(*both, key[0])
            add_change(times, (pair.label, key), *(_log_time(run, key, beside) for run in both))
            add_change(ratios, (pair.label, key), *(_log_ratio(run, key, beside) for run in both))
    of_ratios, by_tolerance = judged(
        pairs, (ratios, lambda pair: tolerance), (times, lambda pair: pair.time_band)
    )
    of_times = _with_drift(by_tolerance, pairs, tolerance)
    moved = {pair.label: pair for pair in pairs}
    for (lab, key), time in times.items():
        ratio = ratios.get((lab, key))
        change = BenchmarkChange(
            label=lab,
            time=exponential(time.interval()),
            time_verdict=of_times[lab, key],
            ratio=exponential(ratio.interval()) if ratio else None,
            ratio_verdict=of_ratios.get((lab, key)),
            explained_by=_explanation(time, moved[lab]),
        )
        changes[key].append(change)
    return [_benchmark(key, runs, changes[key]) for key in names]


def add_change(
    differences: dict[Place, Mean],
    key: Place,
    first: Mean | None,
    other: Mean | None,
) -> None:
    """The difference of two means on the scale of logarithms, where both runs have one."""
    if first and other:
        differences[key] = combined((other, first), (1.0, -1.0))


def judged(
    pairs: list[RunPair], *kinds: tuple[dict[Place, Mean], Callable[[RunPair], float]]
) -> list[dict[Place, Judgement]]:
    """Verdicts on the changes of each kind, one error rate for all of all kinds whatever their bands."""
    by_label = {pair.label: pair for pair in pairs}
    every = [(kind, place) for kind, (changes, _) in enumerate(kinds) for place in changes]
    names = {str(number): key for number, key in enumerate(every)}  # a file's names may run together
    decided = verdicts(
        {name: kinds[kind][0][place] for name, (kind, place) in names.items()},
        {name: kinds[kind][1](by_label[place[0]]) for name, (kind, place) in names.items()},
    )
    judgements: list[dict[Place, Judgement]] = [{} for _ in kinds]
    for name, (kind, place) in names.items():
        judgements[kind][place] = _word(decided[name], by_label[place[0]].alike)
    return judgements


def _word(verdict: Verdict, alike: bool) -> Judgement:
    """Faster and slower are said of one machine class only."""
    return "different" if verdict in ("faster", "slower") and not alike else verdict


def _with_drift(
    judged: dict[Place, Judgement], pairs: list[RunPair], tolerance: float
) -> dict[Place, Judgement]:
    """Times inside a band that drift has widened are undecided: nobody knows what the drift hides."""
    drifting = {pair.label for pair in pairs if pair.time_band > tolerance}
    return {
        key: "undecided" if word == "same" and key[0] in drifting else word for key, word in judged.items()
    }


def _log_time(run: Run, key: Key, beside: set[str]) -> Mean | None:
    """Seconds an iteration; None where there is none. A file of pytest-benchmark alone has no set-ups."""
    group, variant = key
    here = run.measured.get(group, {}).get(variant)
    if here is None or variant not in beside:
        return None
    blocks = run.blocks.get(group)
    return log_times(only(blocks, beside), variant).mean() if blocks else mean_of(np.log(here.times_s))


def _log_ratio(run: Run, key: Key, beside: set[str]) -> Mean | None:
    """Against the baseline; None where there is none."""
    group, variant = key
    here = run.measured.get(group, {}).get(variant)
    if here is None or here.effect is None:
        return None
    baseline = here.effect.baseline.removeprefix(group + "/")
    if not {variant, baseline} <= beside:
        return None
    return against_baseline(only(run.blocks[group], beside), variant, baseline).mean()


def _benchmark(key: Key, runs: dict[str, Run], changes: list[BenchmarkChange]) -> ComparedBenchmark:
    group, variant = key
    by_run = {lab: run.measured[group][variant] for lab, run in runs.items() if key in keys_of(run)}
    any_one = next(iter(by_run.values()))
    baselines = [m.effect.baseline.removeprefix(group + "/") for m in by_run.values() if m.effect]
    flop = flop_per_image(any_one.case)
    return ComparedBenchmark(
        name=name_of(group, variant),
        group=group,
        variant=variant,
        baseline=next(iter(baselines), None),
        flop_per_image=flop,
        counts=any_one.case.counts,
        figures={lab: _figure(m, flop, runs[lab].ceilings) for lab, m in by_run.items()},
        changes=changes,
    )


def _figure(measured: Measured, flop: int | None, ceilings: Ceilings | None) -> Figure:
    return Figure(
        iteration_s=measured.iteration_s,
        images_per_s=measured.images_per_s if measured.tells_images else None,
        ratio=measured.effect.estimate if measured.effect else None,
        per_ceiling=per_ceiling(measured.images_per_s.value, flop, ceilings) if ceilings else {},
    )


def per_ceiling(images_per_s: float, flop: int | None, ceilings: Ceilings) -> dict[str, float]:
    """Throughput in units of each ceiling: shares of the matrix products (1 is all), images a GB and a loop.

    Without the work of an image in FLOP its shares of the matrix products are left out.
    """
    quantities = {"memory_gb_per_s": images_per_s, "python_loops_per_s": images_per_s}
    if flop is not None:
        quantities = dict.fromkeys(MATRIX_PRODUCTS, images_per_s * flop / 1e9) | quantities
    return {name: quantity / getattr(ceilings, name) for name, quantity in quantities.items()}


def _explanation(time: Mean, pair: RunPair) -> str | None:
    """The ceiling whose ratio between two unlike machines is nearest to that of the throughput."""
    if pair.alike or not pair.ceilings:
        return None
    return min(pair.ceilings, key=lambda name: abs(math.log(pair.ceilings[name]) + time.value))
