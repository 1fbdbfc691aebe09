"""What is said of a declared task's heads: what each costs, and what sharing a network saves."""

from __future__ import annotations

from bench.answers.words import interval, ratio_of, verdict_of
from bench.records.declared import Declared
from bench.records.run import Measured, Ratio

ALL, SEPARATE = "all", "separate"


def in_words(task: Declared) -> str:
    """``acme.bench:task``: what was measured."""
    heads = ", ".join(task.heads[:-1]) + " and " * (len(task.heads) > 1) + task.heads[-1]
    flop = "" if task.training_flop is None else f", {task.training_flop:,.0f} FLOP a sample in training"
    left_out = f" beside {', '.join(task.uncounted)}" if task.uncounted else ""
    anew = "for each of which in turn MXNet infers shapes and plans memory anew"
    kinds = f" of {task.shapes} shapes, {anew}" if task.shapes > 1 else ""
    return (
        f"Measured is {task.network}: {heads}; batches of {task.batch_size}{kinds}; "
        f"{task.parameters:,} parameters{flop}{left_out}."
    )


def cost_of_heads(step: dict[str, Measured], task: Declared) -> list[str]:
    """Each head's share of the step with all, each alone, and as many separate networks."""
    said = [_costs(head, step[name]) for head in task.heads for name in _without(head, task) if name in step]
    said += [_alone(head, step[f"{head} alone"]) for head in task.heads if f"{head} alone" in step]
    if SEPARATE in step and ALL in step:
        ratio = ratio_of(step[SEPARATE], step[ALL])
        said += [] if ratio is None else [_separate(len(task.heads), ratio)]
    return [*said, *(f"{choice} was not measured: {why}." for choice, why in task.heads_impossible.items())]


def _without(head: str, task: Declared) -> list[str]:
    """The variant that all heads but this one are; of two heads it is the other alone."""
    if len(task.heads) == 2:
        return [f"{other} alone" for other in task.heads if other != head]
    return [f"without {head}"]


def _costs(head: str, without: Measured) -> str:
    """``box costs 12% (10 to 14) of a step``: what leaving it out saves, and what work that is."""
    assert without.effect is not None
    ratio = without.effect.estimate
    share = percent_of(1.0 - ratio.high, 1.0 - ratio.value, 1.0 - ratio.low, ratio.n)
    return f"{head} costs {share} of a step: without it {verdict_of(without.effect)}."


def _alone(head: str, alone: Measured) -> str:
    assert alone.effect is not None
    times = interval(alone.effect.estimate)
    return f"{head} alone takes {times} the time of all heads: {verdict_of(alone.effect)}."


def percent_of(low: float, value: float, high: float, n: int) -> str:
    """``12% (10 to 14)``; below zero where a step without it takes longer."""
    return f"{100 * value:.0f}%" + (f" ({100 * low:.0f} to {100 * high:.0f})" if n > 1 else "")


def _separate(count: int, ratio: Ratio) -> str:
    return (
        f"{count} separate networks take {interval(ratio.estimate)} the time of the one that shares: "
        f"{verdict_of(ratio)}."
    )
