"""The mean ratio of each question over the benchmarks that all runs share, and whether it changed."""

from __future__ import annotations

from bench.comparison.cases import Key, keys_of, name_of
from bench.comparison.changes import Place, add_change, judged
from bench.records.comparison import QuestionMean, RunPair
from bench.records.run import CONTROL, Run
from bench.stats.estimates import Mean, combined, exponential, mean_of
from bench.stats.ratios import Effects, against_baseline, averaged


def changed_means(runs: dict[str, Run], pairs: list[RunPair], tolerance: float) -> list[QuestionMean]:
    """Every question that has a ratio in all runs; one error rate for the changes of their means."""
    shared = _shared(list(runs.values()))
    means = {q: {lab: _question_mean(run, keys) for lab, run in runs.items()} for q, keys in shared.items()}
    first = next(iter(runs))
    changes: dict[Place, Mean] = {}
    for question, by_run in means.items():
        for pair in pairs:
            add_change(changes, (pair.label, (question, "")), by_run[first], by_run[pair.label])
    (verdict_words,) = judged(pairs, (changes, lambda pair: tolerance))
    return [
        QuestionMean(
            question=question,
            benchmarks=[name_of(*key) for key in shared[question]],
            means={lab: exponential(m.interval()) for lab, m in by_run.items() if m},
            changes={lab: exponential(m.interval()) for (lab, (q, _)), m in changes.items() if q == question},
            verdicts={lab: word for (lab, (q, _)), word in verdict_words.items() if q == question},
        )
        for question, by_run in means.items()
    ]


def _shared(runs: list[Run]) -> dict[str, list[Key]]:
    """By question: the benchmarks that have a ratio in every run; the control is none."""
    shared: dict[str, list[Key]] = {}
    for group, variant in keys_of(runs[0]):
        if variant != CONTROL and all(_has_ratio(run, group, variant) for run in runs):
            question = runs[0].measured[group][variant].case.question
            shared.setdefault(question, []).append((group, variant))
    return shared


def _has_ratio(run: Run, group: str, variant: str) -> bool:
    measured = run.measured.get(group, {}).get(variant)
    return measured is not None and measured.effect is not None


def _question_mean(run: Run, keys: list[Key]) -> Mean | None:
    """Mean log ratio: over the variants within each block, which share its baseline, then over the groups."""
    by_group: dict[str, list[str]] = {}
    for group, variant in keys:
        by_group.setdefault(group, []).append(variant)
    means = [_group_mean(run, group, variants) for group, variants in by_group.items()]
    sizes = [len(variants) for variants in by_group.values()]
    there = [mean for mean in means if mean]
    return combined(there, [size / sum(sizes) for size in sizes]) if len(there) == len(means) else None


def _group_mean(run: Run, group: str, variants: list[str]) -> Mean | None:
    """By the rule of its rounds: at rest set-ups count by how calm they were, with how far that may be off.

    By medians they count alike: every one of their ratios is in the mean, so that nobody is left to weigh it.
    """
    complete = [block for block in run.blocks[group] if all(v in block.set_ups for v in variants)]
    baseline = run.measured[group][variants[0]].effect
    assert baseline is not None
    name = baseline.baseline.removeprefix(group + "/")
    effects = [against_baseline(complete, variant, name) for variant in variants]
    if not complete or not len(effects[0]):
        return None
    together = averaged(effects)
    return mean_of(together.values) if isinstance(together, Effects) else together.mean()
