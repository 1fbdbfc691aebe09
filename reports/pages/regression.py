"""A comparison of two revisions as sentences, a table, Markdown, JSON and annotations."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import msgspec
from rich.console import Group, RenderableType
from rich.text import Text

from bench.records.regression import REGRESSION_SCHEMA, Comparison, Regression
from bench.records.run import Estimate
from reports.formats import markdown_parts as markdown
from reports.formats.github import Annotation, Level, commands
from reports.formats.terminal import page as terminal
from reports.model.tables import Cell, Column, Table, laid_out
from reports.model.text import harmless

SYMBOLS = {"slower": "🔴", "faster": "🟢", "same": "⚪", "undecided": "🟡"}
LONGEST = 1000  # characters of a sentence
MARKER = "<!-- mtl-bench regress -->"  # by which the comment is found again


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
        return f"{start}: undecided. {undecided(c)}"
    return f"{start}: {c.verdict}, by more than {edge}."


def undecided(comparison: Comparison) -> str:
    """The smallest slow-down that this would have called, and what it would take to decide."""
    c = comparison
    if c.sums is not None:
        return _now_and_then(c.sums)
    if c.effect is None or c.effect.n < 2 or c.detectable is None:
        return "Too few invocations for an interval; a larger --budget gives one."
    if c.detectable > 1.0:
        could = "It could not have told even a slow-down to twice the time from the tolerance"
    else:
        could = f"It could have told a slow-down of {100 * c.detectable:.1f} % or more from the tolerance"
    if c.times_the_budget is None:
        return f"{could}; at this noise and so near the edge of it, no reasonable budget would decide."
    return f"{could}; about {max(1.1, c.times_the_budget):.1f} times the budget would decide it."


def _now_and_then(sums: Estimate) -> str:
    """Why what is usually the same is not called so; more of the same rounds would not change that."""
    what = "few slow rounds make the whole slower" if sums.value > 1.0 else "few rounds make the whole faster"
    return (
        f"The usual round is the same, but {what} (sums {sums.value:.3f}x, {sums.low:.3f} to "
        f"{sums.high:.3f}); look at what happens now and then, e.g. with python -m bench profile."
    )


def table(regression: Regression) -> Table:
    """A row a benchmark."""
    columns = (
        Column("benchmark", align="left"),
        Column("base", "s"),
        Column("head", "s"),
        Column("time ratio", note="below 1 is faster"),
        Column("verdict", align="left"),
        Column("invocations"),
    )
    return Table("", columns, tuple(_row(c) for c in regression.comparisons))


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


def in_terminal(regression: Regression) -> RenderableType:
    """Head line, table, a sentence a benchmark, what to mind."""
    lines: list[RenderableType] = [
        Text(harmless(f"{regression.head} against {regression.base}", LONGEST), style="bold"),
        terminal.table(table(regression)),
    ]
    lines += [Text(harmless(sentence(c), LONGEST)) for c in regression.comparisons]
    lines += [Text(harmless(f"! {note}", LONGEST), style="yellow") for note in notes(regression)]
    return Group(*lines)


def notes(regression: Regression) -> list[str]:
    """What to mind, of the whole and of each benchmark."""
    return [
        *regression.notes,
        *(f"{c.benchmark}: {note}" for c in regression.comparisons for note in c.notes),
    ]


def as_markdown(regression: Regression) -> str:
    """For a pull request: a summary, a table, the sentences; a hidden marker to find it again."""
    laid = laid_out(table(regression))
    lines = [MARKER, f"### Benchmarks: {_marked(summary(regression)) or 'nothing compared'}", ""]
    lines += [f"{_marked(regression.head)} against {_marked(regression.base)}", ""]
    lines += ["| " + " | ".join(_marked(heading) for heading in laid.headings) + " |"]
    lines += ["|" + "|".join("---" if align == "left" else "---:" for align in laid.aligns) + "|"]
    for row in laid.rows:
        cells = [f"{SYMBOLS.get(cell, '')} {cell}".strip() for cell in row]
        lines.append("| " + " | ".join(_marked(cell) for cell in cells) + " |")
    lines += ["", *(f"- {_marked(sentence(c))}" for c in regression.comparisons)]
    lines += [f"- **Note**: {_marked(note)}" for note in notes(regression)]
    lines += ["", f"<sub>{_marked(method(regression))}</sub>", ""]
    return "\n".join(lines)


def _marked(words: object) -> str:
    """Words of any length in which nothing is taken for markup."""
    return markdown.escaped(harmless(words, LONGEST))


def method(regression: Regression) -> str:
    """How it was found out, in a line."""
    measured = "the head alone" if regression.stored else "both revisions interleaved on one machine"
    seed = "" if regression.seed is None else f" Order of rounds: --seed {regression.seed}."
    return (
        f"Up to {regression.budget_s:g} s a benchmark, {measured}; "
        f"all verdicts together hold at {regression.confidence:.0%}.{seed}"
    )


def as_json(regression: Regression) -> str:
    """``{"schema": 1, "comparisons": [...]}``, with more under further keys."""
    whole = msgspec.to_builtins(regression)
    comparisons = [_comparison(found) for found in whole.pop("comparisons")]
    told = {"schema": REGRESSION_SCHEMA, "comparisons": comparisons, **whole}
    return json.dumps(_finite(told), indent=2, allow_nan=False)


def _comparison(found: dict[str, Any]) -> dict[str, Any]:
    effect = found["effect"]
    if effect is not None:
        effect = {"ratio": effect.pop("value"), **effect}
    return {**found, "effect": effect}


def _finite(value: Any) -> Any:
    """The same with None for what JSON has no number for: the ends of an endless interval."""
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def github_annotations(regression: Regression, file: str, lines: dict[str, int]) -> Sequence[str]:
    """GitHub's workflow commands, on the line that declares each benchmark."""
    found = []
    for c in regression.comparisons:
        word = verdict_of(c)
        level: Level = "error" if not c.passes else "warning" if word in ("undecided", "new") else "notice"
        title = f"{word}: {c.benchmark}"
        found.append(Annotation(level, sentence(c), title, file, lines.get(c.benchmark, 1)))
    return commands(found)
