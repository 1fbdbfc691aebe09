"""A comparison of two revisions: a page in sentences, a table and a chart, its record, its annotations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from shlex import quote
from typing import Any

import msgspec

from bench.records.regression import GATE_FILE, REGRESSION_SCHEMA, Comparison, Regression
from bench.records.run import Estimate
from bench.records.undecided import factor, of_comparison
from bench.stats.verdict import TOLERANCE
from reports.model.page import Annotation, Page, Record, Severity
from reports.model.tables import Cell, Column, Table
from reports.pages import work
from reports.pages.single import one_section_page, ratios_charts

MARKER = "mtl-bench regress"  # by which the comment on a pull request is found again
METHOD = (
    "An invocation gives one ratio, time of head over time of base; intervals and verdicts are over "
    "invocations. Faster or slower: the whole interval lies outside the benchmark's tolerance.",
)


def regression_page(regression: Regression, lines: Mapping[str, int] | None = None) -> Page:
    """Two revisions, head against base; ``lines`` tell where each benchmark is declared."""
    ratios = [
        (c.benchmark.rpartition("/")[0], c.benchmark, c.effect, verdict_of(c)) for c in regression.comparisons
    ]
    tolerance = max((c.tolerance for c in regression.comparisons), default=TOLERANCE)
    rows = table(regression)
    return one_section_page(
        "Comparison of two revisions",
        f"{regression.head} against {regression.base}",
        summary(regression) or "Nothing was compared.",
        sentences=[
            *(sentence(c) for c in regression.comparisons),
            *(f"Work counted exactly: {work.sentence(change)}" for change in regression.work),
            *to_decide(regression),
        ],
        decided=rows,
        tables=[rows],
        charts=ratios_charts("Time of head over time of base", ratios, tolerance),
        warnings=notes(regression),
        method=[method(regression), *METHOD, *_kept(regression)],
        record=Record("regress", "All that regress measured and decided", content(regression)),
        annotations=[_annotation(c, lines or {}) for c in regression.comparisons],
        marker=MARKER,
    )


def _kept(regression: Regression) -> list[str]:
    """How to get at the head's changes."""
    changes = regression.changes
    if changes is None or not changes.diff:
        return []
    cut = "" if changes.whole else "; it was cut, and does not apply"
    return [
        f"What the head has on top of {changes.revision[:12]} is kept in this comparison's JSON: "
        f"python -m bench report FILE --diff prints it for git apply{cut}."
    ]


def _annotation(comparison: Comparison, lines: Mapping[str, int]) -> Annotation:
    """Beside the line that declares the benchmark."""
    word = verdict_of(comparison)
    unsure = word in ("undecided", "new")
    severity: Severity = "error" if not comparison.passes else "warning" if unsure else "notice"
    title = f"{word}: {comparison.benchmark}"
    return Annotation(severity, sentence(comparison), title, GATE_FILE, lines.get(comparison.benchmark, 1))


def content(regression: Regression) -> Mapping[str, Any]:
    """``{"schema": 1, "comparisons": [...]}``, with more under further names; an effect is a ``ratio``."""
    fields = msgspec.to_builtins(regression)
    comparisons = [_comparison(one) for one in fields.pop("comparisons")]
    return {"schema": REGRESSION_SCHEMA, "comparisons": comparisons, **fields}


def _comparison(fields: dict[str, Any]) -> dict[str, Any]:
    effect = fields["effect"]
    if effect is not None:
        effect = {"ratio": effect.pop("value"), **effect}
    return {**fields, "effect": effect}


def with_interval(effect: Estimate) -> str:
    """``1.031x the time (1.024 to 1.038)``; no interval from one invocation."""
    if not math.isfinite(effect.high):
        return f"{effect.value:.3f}x the time (no interval)"
    return f"{effect.value:.3f}x the time ({effect.low:.3f} to {effect.high:.3f})"


def verdict_of(comparison: Comparison) -> str:
    """One word for a column: the verdict, or why there is none."""
    if comparison.failure is not None:
        return "failed"
    words = {"head": "vanished", "base": "new", "stored": "not in the stored run"}
    return words[comparison.missing] if comparison.missing else comparison.verdict


def sentence(comparison: Comparison) -> str:
    """What the comparison says, with its interval; not knowing comes with what could have been seen."""
    c = comparison
    if c.failure is not None:
        return f"{c.benchmark} could not be measured: {c.failure}."
    if c.missing == "head":
        return f"{c.benchmark} vanished: the base measures it and the head does not."
    if c.missing == "stored":
        return (
            f"{c.benchmark} is not in the stored run, not with the gate's settings: nothing is known of it."
        )
    if c.missing == "base" or c.effect is None:
        return f"{c.benchmark} is new: the base has nothing to compare it with."
    start = f"{c.benchmark}: {c.asks} takes {with_interval(c.effect)}"
    edge = f"{100 * c.tolerance:.3g} %"
    if c.verdict == "same":
        return f"{start}: same, within {edge}."
    if c.verdict == "undecided":
        return f"{start}: undecided. {of_comparison(c)}"
    if c.cause == "now and then" and c.now_and_then is not None:
        more = c.now_and_then
        low, high = 100 * more.low, 100 * more.high
        return (
            f"{start} at rest, and {100 * more.value:.1f} % ({low:.1f} to {high:.1f} %) on top of it now and "
            "then: slower now and then."
        )
    return f"{start}: {c.verdict}, by more than {edge}."


def to_decide(regression: Regression) -> list[str]:
    """The command to paste for what a larger budget would decide; a line for all of it."""
    open_ones = [c for c in regression.comparisons if c.verdict == "undecided" and c.times_the_budget]
    if regression.against is None or not open_ones:
        return []
    times = max(factor(c.times_the_budget or 0.0) for c in open_ones)
    budget = 10 * math.ceil(regression.budget_s * times / 10)
    names = " ".join(quote(c.benchmark) for c in open_ones)
    base = quote(regression.against)
    return [f"To decide: python -m bench regress {names} --base {base} --budget {budget}s"]


def table(regression: Regression) -> Table:
    """A row a benchmark."""
    columns = (
        Column("benchmark", align="left"),
        Column("base", "s"),
        Column("head", "s"),
        Column("time ratio", note="below 1 is faster"),
        Column("verdict", align="left", signs=True),
        Column("invocations"),
    )
    return Table("Head against base", columns, tuple(_row(c) for c in regression.comparisons))


def _row(c: Comparison) -> tuple[Cell, ...]:
    base, head = (None if e is None else e.value for e in (c.base_s, c.head_s))
    return (c.benchmark, base, head, c.effect, verdict_of(c), None if c.effect is None else c.effect.n)


def summary(regression: Regression) -> str:
    """The whole in one line."""
    by_word: dict[str, list[str]] = {}
    for comparison in regression.comparisons:
        by_word.setdefault(verdict_of(comparison), []).append(comparison.benchmark)
    order = ("slower", "failed", "vanished", "not in the stored run", "undecided", "new", "faster", "same")
    return "; ".join(f"{word}: {', '.join(by_word[word])}" for word in order if word in by_word)


def notes(regression: Regression) -> list[str]:
    """What to mind, of the whole and of each benchmark."""
    return [
        *regression.notes,
        *(f"{c.benchmark}: {note}" for c in regression.comparisons for note in c.notes),
    ]


def method(regression: Regression) -> str:
    """How it was measured, in a line."""
    measured = "the head alone" if regression.stored else "both revisions interleaved on one machine"
    seed = "" if regression.seed is None else f" Order of rounds: --seed {regression.seed}."
    return (
        f"Up to {regression.budget_s:g} s a benchmark, {measured}; "
        f"all verdicts together hold at {regression.confidence:.0%}.{seed}"
    )
