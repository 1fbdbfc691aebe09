"""Runs held side by side: what differs, each benchmark's ratios and times, and whether they changed.

Ratios within a run compare cleanly between machines. The set-ups of two runs are independent, so the
logarithms of their ratios differ by Welch's t (:func:`bench.stats.estimates.combined`), and the verdicts
share one error rate by Holm (:mod:`bench.stats.verdict`): one for all ratios and times together, since
either makes a benchmark slower (:func:`got_slower`), and one for the means.

Times of two runs are another matter even on one machine. The interval within a run knows how set-ups
differ, not how the machine differs from hour to hour. So a time is faster or slower only beyond a wider
band: the tolerance, and on top of it the larger of ``DRIFT`` and how far the machine's own ceilings moved
between the runs. What lies inside that band is undecided: it may be the code's or the drift's. Such times
are never called the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence

import msgspec
import numpy as np

from bench.records.comparison import (
    BenchmarkChange,
    ComparedBenchmark,
    ComparedRun,
    Field,
    Figure,
    Judgement,
    Kind,
    QuestionMean,
    RunComparison,
    RunPair,
)
from bench.records.run import CLASS_FIELDS, CONTROL, Case, Ceilings, Measured, Run, Verdict
from bench.stats.estimates import Mean, combined, exponential, mean_of
from bench.stats.ratios import against_baseline, averaged, log_times, only
from bench.stats.verdict import TOLERANCE, verdicts
from mtl_core.config import HEADS, NetworkConfig
from mtl_core.cost import cost
from mtl_core.errors import UserError

Key = tuple[str, str]  # group, variant
Place = tuple[str, Key]  # label of a run, and the benchmark or question
DRIFT = 0.05  # what a machine's speed is taken to differ by from one hour to another, at least
CEILINGS = ("mxnet_gflop_per_s", "numpy_gflop_per_s", "memory_gb_per_s", "python_loops_per_s")
STATE_FIELDS = ("cores_there", "kernel", "load", "governor", "mhz", "huge_pages", "virtual", "container")
WEATHER_FIELDS = ("steal_share", "throttled_s", "thermal_events")
BUILD_FIELDS = ("mxnet", "numpy", "features", "libraries")
NOT_SET = "not set"
STEPS = "bench.workloads.steps:"  # the workloads whose FLOP are known by formula


def compare(
    runs: Sequence[Run], tolerance: float = TOLERANCE, drift: float = DRIFT, strict: bool = False
) -> RunComparison:
    """All of it, against the first run; unlike things of one name are left out, and a warning names them.

    Raises UserError for them, naming the field, where it shall be ``strict``, and for fewer than two runs.
    """
    if len(runs) < 2:
        raise UserError(f"{len(runs)} run given; comparing takes two or more result files")
    unlike = _unlike(runs)
    if strict and unlike:
        raise UserError(f"{next(iter(unlike.values()))}; compare runs that are alike, or others with --only")
    runs = [_without(run, unlike.keys()) for run in runs]
    labelled = {label(number): run for number, run in enumerate(runs)}
    fields = list(_fields(labelled))
    pairs = [_pair(other, labelled, tolerance, drift) for other in list(labelled)[1:]]
    names = list(dict.fromkeys(key for run in runs for key in _keys(run)))
    missing = {lab: [_name(*key) for key in names if key not in _keys(run)] for lab, run in labelled.items()}
    return RunComparison(
        sides=[_side(lab, run) for lab, run in labelled.items()],
        ceilings={lab: run.ceilings for lab, run in labelled.items() if run.ceilings},
        differs=[field for field in fields if len(set(field.values.values())) > 1],
        equal=[field.name for field in fields if _told_alike(field)],
        pairs=pairs,
        benchmarks=_benchmarks(names, labelled, pairs, tolerance),
        means=_means(labelled, pairs, tolerance),
        missing={lab: lost for lab, lost in missing.items() if lost},
        failed={lab: [f.case for f in run.failures] for lab, run in labelled.items() if run.failures},
        tolerance=tolerance,
        warnings=[
            *(f"left out: {reason}" for reason in unlike.values()),
            *(f"{lab}: {line}" for lab, run in labelled.items() for line in _cautions(run)),
        ],
    )


def _told_alike(field: Field) -> bool:
    """Whether every run tells the same; what nobody tells is not known to be equal."""
    return len(told := set(field.values.values())) == 1 and None not in told


def label(number: int) -> str:
    """A, B ... Z, then A2, B2 ..."""
    turn, place = divmod(number, 26)
    return chr(ord("A") + place) + (str(turn + 1) if turn else "")


def got_slower(comparison: RunComparison) -> list[str]:
    """The benchmarks of one machine class that became slower, in the order of the comparison.

    A slower time counts. A larger ratio counts too, since it knows no drift, unless it is the
    baseline's gain: the variant's own time was not seen to be worse, or the baseline's is faster.
    """
    times = {(b.name, c.label): c.time_verdict for b in comparison.benchmarks for c in b.changes}
    found = []
    for benchmark in comparison.benchmarks:
        for change in benchmark.changes:
            baseline = times.get((f"{benchmark.group}/{benchmark.baseline}", change.label))
            excused = change.time.high < 1 + comparison.tolerance or baseline == "faster"
            if change.time_verdict == "slower" or (change.ratio_verdict == "slower" and not excused):
                found.append(benchmark.name)
    return list(dict.fromkeys(found))


def got_lost(comparison: RunComparison) -> list[str]:
    """What the first run has and a later one of its machine class has not, or not without a failure."""
    first = comparison.sides[0].label
    found = []
    for pair in comparison.pairs:
        if pair.alike:
            lost = [
                n
                for n in comparison.missing.get(pair.label, [])
                if n not in comparison.missing.get(first, [])
            ]
            broke = [
                n for n in comparison.failed.get(pair.label, []) if n not in comparison.failed.get(first, [])
            ]
            found += [*lost, *broke]
    return list(dict.fromkeys(found))


def _cautions(run: Run) -> list[str]:
    """What the run itself said of its reliability, and what its file cannot tell."""
    if run.machine is None:
        return ["written by pytest-benchmark alone: no machine, no ratios and no intervals"]
    controls = [line for answer in run.answers for line in answer.warnings if line.startswith("control off")]
    failed = [f"{f.case} could not be measured" for f in run.failures]
    return [*run.warnings, *controls, *failed]


# What is compared with what


def _keys(run: Run) -> list[Key]:
    """(group, variant) of every benchmark of a run."""
    return [(group, variant) for group, known in run.measured.items() for variant in known]


def _name(group: str, variant: str) -> str:
    return f"{group}/{variant}"


def _unlike(runs: Sequence[Run]) -> dict[Key, str]:
    """What has one name and is not one thing in all runs, with the first field that differs."""
    first: dict[Key, tuple[Run, Measured]] = {}
    reasons: dict[Key, str] = {}
    for run in runs:
        for group, variant in _keys(run):
            here = run.measured[group][variant]
            there, earlier = first.setdefault((group, variant), (run, here))
            for field, mine, theirs in case_differences(here, earlier):
                reasons.setdefault(
                    (group, variant),
                    f"{_name(group, variant)} is not the same benchmark: {field} is {theirs} in "
                    f"{there.name} and {mine} in {run.name}",
                )
    return reasons


def _without(run: Run, unlike: Collection[Key]) -> Run:
    """The run without these, and without what was held against one of them: its ratio means another thing."""
    if not unlike:
        return run
    names = {run.measured[g][v].case.name for g, v in unlike if v in run.measured.get(g, {})}
    kept = {
        group: {
            variant: m
            for variant, m in variants.items()
            if (group, variant) not in unlike and not (m.effect and m.effect.baseline in names)
        }
        for group, variants in run.measured.items()
    }
    return msgspec.structs.replace(
        run, measured={group: variants for group, variants in kept.items() if variants}
    )


def case_differences(one: Measured, other: Measured) -> Iterable[tuple[str, str, str]]:
    """(field, its value in each) where two cases of one name are not the same thing."""
    yield from _unequal("images", one.images, other.images)
    yield from _unequal("workload", one.case.workload, other.case.workload)
    for part in ("settings", "environment"):
        mine, theirs = getattr(one.case, part), getattr(other.case, part)
        for name in sorted({*mine, *theirs}):
            yield from _unequal(f"{part}.{name}", mine.get(name), theirs.get(name))
    if one.effect and other.effect:
        yield from _unequal("baseline", one.effect.baseline, other.effect.baseline)


def _unequal(field: str, mine: object, theirs: object) -> Iterable[tuple[str, str, str]]:
    if mine != theirs:
        told = (NOT_SET if value is None else repr(value) for value in (mine, theirs))
        yield (field, *told)  # type: ignore[misc]


def _side(lab: str, run: Run) -> ComparedRun:
    machine = run.machine
    return ComparedRun(
        label=lab,
        name=run.name,
        measured_at=run.measured_at,
        schema=run.schema,
        machine=machine.class_key if machine else None,
        source=machine.source if machine else None,
    )


def _fields(runs: dict[str, Run]) -> Iterable[Field]:
    """Everything known of machines, builds and settings, field by field."""

    parts: list[tuple[Kind, tuple[str, ...], Callable[[Run], object]]] = [
        ("machine", tuple(CLASS_FIELDS), lambda run: run.machine),
        ("state", STATE_FIELDS, lambda run: run.machine),
        ("state", (), _environment),
        ("state", WEATHER_FIELDS, lambda run: run.weather),
        ("build", ("python", "source"), lambda run: run.machine),
        ("build", BUILD_FIELDS, lambda run: run.ceilings),
        ("settings", (), lambda run: run.settings),
    ]
    for kind, names, ask in parts:
        if ask is _environment:
            yield from _variables(runs)
            continue
        holders = {lab: ask(run) for lab, run in runs.items()}
        for name in names or sorted({n for h in holders.values() if isinstance(h, dict) for n in h}):
            values = {lab: _shown(_field(holder, name)) for lab, holder in holders.items()}
            yield Field(kind=kind, name=name, values=values)


def _environment(run: Run) -> dict[str, str]:
    """The variables of a run's machine."""
    return run.machine.environment if run.machine else {}


def _variables(runs: dict[str, Run]) -> Iterable[Field]:
    """Every variable that is set in a run; one that is not is told as such where the environment is known."""
    for name in sorted({name for run in runs.values() for name in _environment(run)}):
        values = {
            lab: _environment(run).get(name, NOT_SET if run.machine else None) for lab, run in runs.items()
        }
        yield Field(kind="state", name=name, values=values)


def _field(holder: object, name: str) -> object:
    return holder.get(name) if isinstance(holder, dict) else getattr(holder, name, None)


def _shown(value: object) -> str | None:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, float):
        return f"{value:.4g}"
    return None if value is None else str(value)


def _pair(other: str, runs: dict[str, Run], tolerance: float, drift: float) -> RunPair:
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


# Each benchmark


def _benchmarks(
    names: list[Key], runs: dict[str, Run], pairs: list[RunPair], tolerance: float
) -> list[ComparedBenchmark]:
    changes: dict[Key, list[BenchmarkChange]] = {key: [] for key in names}
    first = next(iter(runs.values()))
    ratios: dict[Place, Mean] = {}
    times: dict[Place, Mean] = {}
    for pair in pairs:
        for key in names:
            both = (first, runs[pair.label])
            beside = _in_both(*both, key[0])
            _add(times, (pair.label, key), *(_log_time(run, key, beside) for run in both))
            _add(ratios, (pair.label, key), *(_log_ratio(run, key, beside) for run in both))
    of_ratios, judged = _judged(pairs, (ratios, lambda pair: tolerance), (times, lambda pair: pair.time_band))
    of_times = _with_drift(judged, pairs, tolerance)
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


def _add(
    found: dict[Place, Mean],
    key: Place,
    first: Mean | None,
    other: Mean | None,
) -> None:
    """The difference of two means on the scale of logarithms, where both runs have one."""
    if first and other:
        found[key] = combined((other, first), (1.0, -1.0))


def _judged(
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
    found: list[dict[Place, Judgement]] = [{} for _ in kinds]
    for name, (kind, place) in names.items():
        found[kind][place] = _word(decided[name], by_label[place[0]].alike)
    return found


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


def _in_both(one: Run, other: Run, group: str) -> set[str]:
    """The variants of a group that both runs have: what weighs rounds is to be the same in both."""
    return set(one.measured.get(group, {})) & set(other.measured.get(group, {}))


def _log_time(run: Run, key: Key, beside: set[str]) -> Mean | None:
    """Seconds an iteration; None where there is none. A file of pytest-benchmark alone has no set-ups."""
    group, variant = key
    known = run.measured.get(group, {}).get(variant)
    if known is None or variant not in beside:
        return None
    blocks = run.blocks.get(group)
    return log_times(only(blocks, beside), variant).mean() if blocks else mean_of(np.log(known.times_s))


def _log_ratio(run: Run, key: Key, beside: set[str]) -> Mean | None:
    """Against the baseline; None where there is none."""
    group, variant = key
    known = run.measured.get(group, {}).get(variant)
    if known is None or known.effect is None:
        return None
    baseline = known.effect.baseline.removeprefix(group + "/")
    if not {variant, baseline} <= beside:
        return None
    return against_baseline(only(run.blocks[group], beside), variant, baseline).mean()


def _benchmark(key: Key, runs: dict[str, Run], changes: list[BenchmarkChange]) -> ComparedBenchmark:
    group, variant = key
    known = {lab: run.measured[group][variant] for lab, run in runs.items() if key in _keys(run)}
    any_one = next(iter(known.values()))
    baselines = [m.effect.baseline.removeprefix(group + "/") for m in known.values() if m.effect]
    flop = flop_per_image(any_one.case)
    return ComparedBenchmark(
        name=_name(group, variant),
        group=group,
        variant=variant,
        baseline=next(iter(baselines), None),
        flop_per_image=flop,
        figures={lab: _figure(m, flop, runs[lab].ceilings) for lab, m in known.items()},
        changes=changes,
    )


def _figure(known: Measured, flop: int | None, ceilings: Ceilings | None) -> Figure:
    return Figure(
        iteration_s=known.iteration_s,
        images_per_s=known.images_per_s if known.tells_images else None,
        ratio=known.effect.estimate if known.effect else None,
        per_ceiling=per_ceiling(known.images_per_s.value, flop, ceilings) if ceilings else {},
    )


def per_ceiling(images_per_s: float, flop: int | None, ceilings: Ceilings) -> dict[str, float]:
    """Throughput in units of each ceiling: shares of the matrix products (1 is all), images a GB and a loop.

    Without the work of an image in FLOP its shares of the matrix products are left out.
    """
    gflop_per_s = None if flop is None else images_per_s * flop / 1e9
    found = {} if gflop_per_s is None else {n: gflop_per_s / getattr(ceilings, n) for n in CEILINGS[:2]}
    return {**found, **{name: images_per_s / getattr(ceilings, name) for name in CEILINGS[2:]}}


def _explanation(time: Mean, pair: RunPair) -> str | None:
    """The ceiling whose ratio between two unlike machines is nearest to that of the throughput."""
    if pair.alike or not pair.ceilings:
        return None
    return min(pair.ceilings, key=lambda name: abs(math.log(pair.ceilings[name]) + time.value))


def flop_per_image(case: Case) -> int | None:
    """Floating-point operations for one image by formula; None for work that has no formula here."""
    if not case.workload.startswith(STEPS):
        return None
    heads = case.settings.get("heads", list(HEADS))
    if case.workload.endswith(":SeparateNetworks"):
        networks = [NetworkConfig(heads=(head,)) for head in HEADS]
    elif isinstance(heads, list) and heads and set(heads) <= set(HEADS):
        networks = [NetworkConfig(heads=tuple(head for head in HEADS if head in heads))]
    else:
        return None
    forward = case.settings.get("part", "step") == "forward"
    return sum(cost(n).forward_flop if forward else cost(n).training_flop for n in networks)


# The means over a question


def _means(runs: dict[str, Run], pairs: list[RunPair], tolerance: float) -> list[QuestionMean]:
    shared = _shared(list(runs.values()))
    means = {q: {lab: _question_mean(run, keys) for lab, run in runs.items()} for q, keys in shared.items()}
    first = next(iter(runs))
    changes: dict[Place, Mean] = {}
    for question, known in means.items():
        for pair in pairs:
            _add(changes, (pair.label, (question, "")), known[first], known[pair.label])
    (judged,) = _judged(pairs, (changes, lambda pair: tolerance))
    return [
        QuestionMean(
            question=question,
            benchmarks=[_name(*key) for key in shared[question]],
            means={lab: exponential(m.interval()) for lab, m in known.items() if m},
            changes={lab: exponential(m.interval()) for (lab, (q, _)), m in changes.items() if q == question},
            verdicts={lab: word for (lab, (q, _)), word in judged.items() if q == question},
        )
        for question, known in means.items()
    ]


def _shared(runs: list[Run]) -> dict[str, list[Key]]:
    """By question: the benchmarks that have a ratio in every run; the control is none."""
    found: dict[str, list[Key]] = {}
    for group, variant in _keys(runs[0]):
        if variant != CONTROL and all(_has_ratio(run, group, variant) for run in runs):
            question = runs[0].measured[group][variant].case.question
            found.setdefault(question, []).append((group, variant))
    return found


def _has_ratio(run: Run, group: str, variant: str) -> bool:
    known = run.measured.get(group, {}).get(variant)
    return known is not None and known.effect is not None


def _question_mean(run: Run, keys: list[Key]) -> Mean | None:
    """Mean log ratio: over the variants within each block, which share its baseline, then over the groups."""
    by_group: dict[str, list[str]] = {}
    for group, variant in keys:
        by_group.setdefault(group, []).append(variant)
    means = [_group_mean(run, group, variants) for group, variants in by_group.items()]
    sizes = [len(variants) for variants in by_group.values()]
    known = [mean for mean in means if mean]
    return combined(known, [size / sum(sizes) for size in sizes]) if len(known) == len(means) else None


def _group_mean(run: Run, group: str, variants: list[str]) -> Mean | None:
    """Set-ups count alike: every one of their ratios is in the mean, so that nobody is left to weigh it."""
    complete = [block for block in run.blocks[group] if all(v in block.set_ups for v in variants)]
    baseline = run.measured[group][variants[0]].effect
    assert baseline is not None
    name = baseline.baseline.removeprefix(group + "/")
    effects = [against_baseline(complete, variant, name) for variant in variants]
    if not complete or not len(effects[0]):
        return None
    return mean_of(averaged(effects).values)
