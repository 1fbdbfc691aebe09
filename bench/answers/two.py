"""What is said of two tasks, or two settings of one, that were measured in turns."""

from __future__ import annotations

from collections.abc import Mapping

from bench.answers.words import interval, quickest, ratio_of, verdict_of
from bench.questions.question import Results
from bench.records.declared import Declared
from bench.records.numbers import ranged
from bench.records.run import Measured

WORDS = {"step": "a training step", "forward": "a forward pass with the losses"}


def which_is_faster(results: Results, first: str, second: str, tasks: Mapping[str, Declared]) -> list[str]:
    """The second's time over the first's in each part; by throughput where a step does unlike work."""
    said: list[str] = []
    for part, words in WORDS.items():
        measured = results.get(part, {})
        if first in measured and second in measured:
            said += _by_time(measured, first, second, words)
    return [*said, *_size(first, second, tasks)]


def _by_time(measured: Mapping[str, Measured], first: str, second: str, words: str) -> list[str]:
    one, other = measured[first], measured[second]
    if one.images != other.images:
        return _by_throughput(one, other, words)
    ratio = ratio_of(other, one)
    if ratio is None:
        return []
    times = interval(ratio.estimate)
    return [f"{second} takes {times} the time of {first} for {words}: {verdict_of(ratio)}."]


def _by_throughput(one: Measured, other: Measured, words: str) -> list[str]:
    """Steps of unlike size compare by how many samples they take in a second."""
    best, rivals = quickest([one, other])
    less = other if best is one else one
    rates = (
        f"{best.case.variant} does {ranged(best.images_per_s)} samples/s in {words} of {best.images}, "
        f"{less.case.variant} {ranged(less.images_per_s)} in one of {less.images}"
    )
    return [f"{rates}: {'no difference is shown' if rivals else 'the first is faster'}."]


def _size(first: str, second: str, tasks: Mapping[str, Declared]) -> list[str]:
    """How much larger the work is; nothing where both are of one size."""
    one, other = tasks[first], tasks[second]
    larger = []
    if one.parameters != other.parameters:
        larger.append(f"{other.parameters:,} parameters where {first} has {one.parameters:,}")
    if one.training_flop and other.training_flop and one.training_flop != other.training_flop:
        larger.append(
            f"{other.training_flop:,.0f} FLOP a sample in training where {first} has {one.training_flop:,.0f}"
        )
    return [f"{second} has {' and '.join(larger)}."] if larger else []
