"""Runs held side by side: what differs, what each benchmark and question came to, and what got worse.

Ratios within a run compare cleanly between machines; times do so only within one class of machines
(:mod:`bench.comparison.changes`). Ratios and times share one error rate, since either makes a benchmark
slower (:func:`got_slower`); the means have one of their own.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.comparison.cases import keys_of, name_of, unlike_cases, without
from bench.comparison.changes import DRIFT, changed_benchmarks, pair_of
from bench.comparison.fields import fields_of
from bench.comparison.means import changed_means
from bench.records.comparison import ComparedRun, Field, RunComparison
from bench.records.run import Run
from bench.stats.verdict import TOLERANCE
from mtl_core.errors import UserError


def compare(
    runs: Sequence[Run], tolerance: float = TOLERANCE, drift: float = DRIFT, strict: bool = False
) -> RunComparison:
    """All of it, against the first run; unlike things of one name are left out, and a warning names them.

    Raises UserError for them, naming the field, where it shall be ``strict``, and for fewer than two runs.
    """
    if len(runs) < 2:
        raise UserError(f"{len(runs)} run given; comparing takes two or more result files")
    unlike = unlike_cases(runs)
    if strict and unlike:
        raise UserError(f"{next(iter(unlike.values()))}; compare runs that are alike, or others with --only")
    runs = [without(run, unlike.keys()) for run in runs]
    labelled = {label(number): run for number, run in enumerate(runs)}
    fields = list(fields_of(labelled))
    pairs = [pair_of(other, labelled, tolerance, drift) for other in list(labelled)[1:]]
    names = list(dict.fromkeys(key for run in runs for key in keys_of(run)))
    missing = {
        lab: [name_of(*key) for key in names if key not in keys_of(run)] for lab, run in labelled.items()
    }
    return RunComparison(
        sides=[_side(lab, run) for lab, run in labelled.items()],
        ceilings={lab: run.ceilings for lab, run in labelled.items() if run.ceilings},
        differs=[field for field in fields if len(set(field.values.values())) > 1],
        equal=[field.name for field in fields if _all_equal(field)],
        pairs=pairs,
        benchmarks=changed_benchmarks(names, labelled, pairs, tolerance),
        means=changed_means(labelled, pairs, tolerance),
        missing={lab: lost for lab, lost in missing.items() if lost},
        failed={lab: [f.case for f in run.failures] for lab, run in labelled.items() if run.failures},
        tolerance=tolerance,
        warnings=[
            *(f"left out: {reason}" for reason in unlike.values()),
            *(f"{lab}: {line}" for lab, run in labelled.items() for line in _cautions(run)),
        ],
    )


def _all_equal(field: Field) -> bool:
    """Whether every run tells the same; what nobody tells is not known to be equal."""
    values = set(field.values.values())
    return len(values) == 1 and None not in values


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
    slower = []
    for benchmark in comparison.benchmarks:
        for change in benchmark.changes:
            baseline = times.get((f"{benchmark.group}/{benchmark.baseline}", change.label))
            excused = change.time.high < 1 + comparison.tolerance or baseline == "faster"
            if change.time_verdict == "slower" or (change.ratio_verdict == "slower" and not excused):
                slower.append(benchmark.name)
    return list(dict.fromkeys(slower))


def got_lost(comparison: RunComparison) -> list[str]:
    """What the first run has and a later one of its machine class has not, or not without a failure."""
    first = comparison.sides[0].label
    gone = []
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
            gone += [*lost, *broke]
    return list(dict.fromkeys(gone))


def _cautions(run: Run) -> list[str]:
    """What the run itself said of its reliability, and what its file cannot tell."""
    if run.machine is None:
        return ["written by pytest-benchmark alone: no machine, no ratios and no intervals"]
    controls = [line for answer in run.answers for line in answer.warnings if line.startswith("control off")]
    failed = [f"{f.case} could not be measured" for f in run.failures]
    return [*run.warnings, *controls, *failed]


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
