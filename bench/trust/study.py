"""The study behind ``python -m bench trust``: recording and replay put together; used by the command."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from bench.gate.task_side import ASKS
from bench.harness.pool import silence_for
from bench.machine import interpreter
from bench.machine.identity import collect
from bench.questions.gate import GATE
from bench.records.run import Estimate
from bench.records.trust import Cell, Recommended, Trust
from bench.results.growing import Say
from bench.results.recording_file import Head, Unit, read, read_head, seconds, there_already
from bench.stats.rest import tail_mean
from bench.stats.verdict import ALPHA
from bench.trust.neighbours import ALONE, CONDITIONS, WORDS
from bench.trust.recorder import Recorder, record
from bench.trust.replay import MOODS, Stretch, calls, calm_share_of, calm_value, having, held, stretches
from bench.trust.variants import (
    BASE,
    BY_NAME,
    HAVE_CALM_VALUE,
    IDENTICAL,
    STEP,
    TUTORIAL,
    USUAL,
    Subject,
    in_words,
)
from mtl_core.errors import UserError, visible

ROOT = Path(__file__).parents[2]
ALL_HOURS = "all hours"
TOLERANCES = (0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1)  # that may be recommended
OFTEN_ENOUGH = 0.95  # of the comparisons of identical code have to come to "same"
LEAST = 20  # comparisons, for a recommendation
ALARMS = 0.01  # of them at most may be called slower or faster


def chosen(variants: Sequence[str], subject: Subject = TUTORIAL) -> tuple[str, ...]:
    """The base and the variants asked for, in the order in which they are declared.

    Raises UserError for a name that is none.
    """
    for name in variants:
        if name not in subject.variants:
            of = f" for {subject.network}" if subject.network else ""
            raise UserError(f"--variant is {name[:40]!r}; expected{of} one of {', '.join(subject.variants)}")
    return tuple(name for name in subject.variants if name == BASE or name in variants)


def check_conditions(conditions: Sequence[str]) -> tuple[str, ...]:
    """The conditions, each once. Raises UserError for a name that is none."""
    for name in conditions:
        if name not in CONDITIONS:
            raise UserError(f"--beside is {name[:40]!r}; expected one of {', '.join(CONDITIONS)}")
    return tuple(dict.fromkeys(conditions))


def check_new(path: Path, resume: bool) -> None:
    """Raise UserError for a file that is there already, but to go on with it."""
    if path.exists() and not resume:
        raise there_already(path)


def record_here(
    path: Path,
    record_s: float,
    *,
    conditions: Sequence[str] = (ALONE,),
    variants: Sequence[str] = (),
    seed: int = 0,
    resume: bool = False,
    subject: Subject = TUTORIAL,
    project: Path | None = None,
    show: Callable[[int, float], None] = lambda units, spent_s: None,
    say: Say = lambda line, place: None,
) -> Path:
    """Record on this machine; without ``variants`` those that the recording has, or the usual ones.

    Returns where the recording lies: elsewhere than ``path``, which ``say`` is told, where that has no room.

    Raises UserError for a file that is there already, but to ``resume`` it, and for one of another machine.
    """
    check_new(path, resume)
    machine = collect()
    usual = tuple(name for name in USUAL if name in subject.variants)
    names = chosen(variants, subject) if variants else (head_of(path).variants if resume else usual)
    head = Head(
        machine=machine.class_key,
        rounds=STEP.rounds,
        variants=names,
        network=subject.network,
        workers=interpreter.in_words() if interpreter.is_other() else "",
    )
    before = read(path, head) if resume else []
    # Another order than before, as reproducible.
    recorder = Recorder(
        *(ROOT, seed + len(before), names, str(machine.source), subject, project),
        silence_s=silence_for(record_s),
    )
    try:
        return record(
            path, head, recorder, record_s, conditions, before=before, show=show, seed=seed, say=say
        )
    finally:
        recorder.close()


def head_of(path: Path) -> Head:
    """What a recording is of. Raises UserError where its variants are none that this version records."""
    head = read_head(path)
    unknown = [name for name in head.variants if name not in BY_NAME]
    if unknown or BASE not in head.variants or not 1 < len(set(head.variants)) == len(head.variants):
        named = ", ".join(visible(name)[:40] for name in unknown or head.variants) or "none"
        raise UserError(
            f"{path} is damaged: its variants are {named}; expected {BASE} and others of "
            f"{', '.join(BY_NAME)}, each once: remove it and record again"
        )
    return head


def study(paths: Sequence[Path], budgets: Sequence[float], tolerance: float, draws: int) -> Trust | None:
    """Replay recordings as one; None of what is too short to say anything at all.

    Raises UserError for a file that is no recording, is given twice, or is of another machine or network.
    """
    head, units = together(paths), [unit for path in paths for unit in read(path)]
    return summary(head, units, budgets, tolerance, draws) if len(units) > 1 else None


def together(paths: Sequence[Path]) -> Head:
    """What several recordings are of: all must be alike but for the kinds of code in them."""
    heads = [head_of(path) for path in paths]
    places = [path.resolve() for path in paths]
    if len(set(places)) < len(places):
        raise UserError("--replay is given the same file twice; its invocations would count twice")
    first = heads[0]
    for path, head in zip(paths, heads, strict=True):
        for name in (field for field in Head.__struct_fields__ if field != "variants"):
            if getattr(head, name) != getattr(first, name):
                raise UserError(
                    f"cannot replay {path} with {paths[0]}: {name} is {getattr(head, name)}, was "
                    f"{getattr(first, name)}; replay each by itself"
                )
    recorded = {name for head in heads for name in head.variants}
    return replace(first, variants=tuple(name for name in BY_NAME if name in recorded))


def summary(
    head: Head, units: Sequence[Unit], budgets: Sequence[float], tolerance: float, draws: int
) -> Trust:
    """Every condition, all its hours together and those of each mood apart, and what can be recommended."""
    hours = stretches(units)
    longest = [unit for unit in units if unit.condition == ALONE] or units
    names = [name for name in HAVE_CALM_VALUE if name in head.variants]
    calm = {name: value for name in names if (value := calm_value(longest, name))}
    cells = []
    for condition in dict.fromkeys(hour.condition for hour in hours):
        of_it = [hour for hour in hours if hour.condition == condition]
        cells.append(cell(head, ALL_HOURS, of_it, calm, budgets, tolerance, draws))
        moods = [mood for mood, _ in reversed(MOODS) if any(hour.mood == mood for hour in of_it)]
        for mood in moods if len(moods) > 1 else []:
            alike = [hour for hour in of_it if hour.mood == mood]
            cells.append(cell(head, mood, alike, calm, budgets, tolerance, 0))
    pooled = np.concatenate([seconds(unit, BASE) for unit in longest])
    times = sorted(unit.at for unit in units)
    gate = len(ASKS if head.network else GATE)
    return Trust(
        machine=head.machine,
        network=head.network,
        workers=head.workers,
        units=len(units),
        recorded=f"{times[0]} to {times[-1]}",
        step_s=tail_mean(pooled, 0.1),
        pair_s=float(np.median([unit.pair_s for unit in units])),
        cells=cells,
        recommended=_recommendations(hours, budgets[0], gate) if IDENTICAL in head.variants else [],
    )


def cell(
    head: Head,
    mood: str,
    hours: Sequence[Stretch],
    calm: dict[str, Estimate],
    budgets: Sequence[float],
    tolerance: float,
    draws: int,
) -> Cell:
    """The counts over these hours."""
    every = [unit for hour in hours for unit in hour.units]
    words = in_words(head.network)
    others = [words[name] for name in head.variants if name != BASE and having(every, name)]
    pieces = {v.name: [there for hour in hours if (there := having(hour.units, v.name))] for v in others}
    return Cell(
        condition=WORDS.get(hours[0].condition, hours[0].condition),
        mood=mood if mood != ALL_HOURS or len(hours) > 1 else hours[0].mood,
        units=len(every),
        hours=len(hours),
        calm_share=calm_share_of(every),
        held=[held(pieces[v.name], v, calm[v.name], budgets[0], draws) for v in others if v.name in calm],
        calls=[calls(pieces[v.name], v, b, v.tolerance or tolerance, draws) for b in budgets for v in others],
    )


def _recommendations(hours: Sequence[Stretch], budget_s: float, gate: int) -> list[Recommended]:
    """For the step alone, and as the first of the gate's benchmarks, which share the error rate (Holm)."""
    pieces = [hour.units for hour in hours if hour.condition == ALONE] or [hour.units for hour in hours]
    alone = [there for piece in pieces if (there := having(piece, IDENTICAL))]
    return [
        Recommended(
            benchmarks=count, budget_s=budget_s, tolerance=recommended(alone, budget_s, ALPHA / count)
        )
        for count in (1, gate)
    ]


def recommended(pieces: Sequence[Sequence[Unit]], budget_s: float, alpha: float = ALPHA) -> float | None:
    """The smallest tolerance at which identical code is nearly always called same, and hardly ever else."""
    for tolerance in TOLERANCES:
        made = calls(pieces, BY_NAME[IDENTICAL], budget_s, tolerance, 0, alpha)
        if made.comparisons < LEAST:
            continue
        if made.verdicts["same"] / made.comparisons >= OFTEN_ENOUGH and made.right.share.value <= ALARMS:
            return tolerance
    return None
