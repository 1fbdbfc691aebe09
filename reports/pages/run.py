"""From a run to a page: what is said first, and what each question's section holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from shlex import quote

from bench.records.defaults import BUDGET, SEED
from bench.records.numbers import counted
from bench.records.run import (
    CONTROL,
    NOT_THE_SAME,
    Answer,
    Block,
    Case,
    Measured,
    Ratio,
    Run,
)
from bench.stats.verdict import ALPHA, TOLERANCE
from reports.model.charts import Interval, Intervals
from reports.model.download import Download
from reports.model.page import Answered, Fold, Page, Recommendation, Section
from reports.model.tables import Cell, Column, Table, facts_table, quantiles_table, same_work, variants_table
from reports.model.units import times
from reports.pages import rounds
from reports.pages.machine import machine_facts
from reports.pages.run_charts import Variants, charts_of, headline
from reports.pages.run_source import sources

KIND = "Benchmark run"
COMPARE = "compare"  # the question of two that were measured in turns, which Python asks
# By the option of a run: the setting that it became, and what a file without one was measured with.
OPTIONS = {
    "network": "network",
    "batch-size": "batch_size",
    "data": "data",
    "threads": "OMP_NUM_THREADS",
    "budget": "budget",
    "seed": "seed",
}
USUAL = {"budget": BUDGET, "seed": str(SEED)}


def run_page(run: Run, download: Download | None = None) -> Page:
    """The report of one run."""
    answers = _asked(run)
    sections = [_section(answer, run) for answer in answers]
    return Page(
        title=_title(run),
        kind=KIND,
        verdict=_verdict_line(run),
        recommendation=_recommendation(run),
        headline=headline({answer.question: _groups(answer.question, run) for answer in answers}),
        answers=tuple(
            Answered(
                answer.asks,
                tuple(answer.sentences),
                answer.asks,
                measured=bool(_groups(answer.question, run)),
                name=answer.question,
            )
            for answer in answers
            if answer.sentences
        ),
        decided=_decided(run),
        facts=(*_when(run), *machine_facts(run.machine, run.ceilings, run.weather)),
        warnings=(*run.warnings, *(f.summary for f in run.failures)),
        sections=tuple(section for section in sections if section.tables or section.warnings),
        method=_method(run),
        reproduce=_reproduce(run),
        download=download,
    )


def _title(run: Run) -> str:
    """Whose network it is about; of two that were compared, the question."""
    if run.declared is not None:
        return f"What {run.declared.network} costs"
    asked = {group.partition("/")[0] for group in run.measured}
    if asked == {COMPARE}:
        return next((answer.asks for answer in run.answers if answer.question == COMPARE), "Two compared")
    return "What a multi-task network in MXNet costs"


def _recommendation(run: Run) -> Recommendation | None:
    """What to set, with what each change is worth; why there is none where nothing was decided."""
    advice = run.advice
    if advice is None:
        return None
    theirs = run.declared is not None
    rows = tuple(Interval("", one.words, one.ratio, one.verdict) for one in advice.worth)
    chart = Intervals(
        "A step's time over that of an imperative one, 95% intervals"
        if theirs
        else "An epoch's time over that with the tutorial's settings, 95% intervals",
        f"Ratios of time with intervals; left of 1 is faster, and within {TOLERANCE:.0%} of it the same.",
        rows,
        TOLERANCE,
    )
    return Recommendation(
        title=advice.title,
        sentences=tuple(advice.sentences),
        commands=(advice.command,) if advice.command else (),
        chart=chart if rows else None,
        in_chart=(advice.alone,) if advice.alone else (),
    )


def _asked(run: Run) -> list[Answer]:
    """The run's answers, then whatever else was measured, under its own name."""
    answers = list(run.answers)
    for group in run.measured:
        if not any(_part(answer.question, group) for answer in answers):
            name = group.split("/", 1)[0]
            answers.append(Answer(question=name, asks=name, sentences=[]))
    return answers


def _part(question: str, group: str) -> str | None:
    """The part of this question that a group is; None where it belongs to another."""
    if group == question:
        return group
    return group[len(question) + 1 :] if group.startswith(f"{question}/") else None


def _groups(question: str, run: Run) -> dict[str, Variants]:
    """The parts of a question, by their names."""
    parts = ((_part(question, group), variants) for group, variants in run.measured.items())
    return {part: variants for part, variants in parts if part is not None}


def _comparisons(run: Run) -> list[tuple[str, str, Measured]]:
    """Every variant that was held against a baseline with the same work; not the baseline against itself."""
    return [
        (group, variant, measured)
        for group, variants in run.measured.items()
        if same_work(variants)
        for variant, measured in variants.items()
        if measured.effect is not None and variant != CONTROL and not measured.case.something_else
    ]


def _ratios(run: Run) -> list[tuple[str, str, Ratio]]:
    """The ratios of all comparisons: to the baseline, then to what the question asks for beside it."""
    return [
        (group, variant, ratio)
        for group, variant, m in _comparisons(run)
        for ratio in (m.effect, *m.beside.values())
        if ratio is not None
    ]


def _verdict_line(run: Run) -> str:
    """How much is decided. How many are faster says nothing of variants that are meant to differ."""
    counts = Counter(ratio.verdict for _, _, ratio in _ratios(run))
    if not counts:
        return "Nothing was compared in this run."
    open_ones = counts["undecided"]
    decided = f"{counts.total() - open_ones} decided"
    each = f"{decided}, {open_ones} undecided" if open_ones else decided
    lost = f"; {len(run.failures)} could not be measured" if run.failures else ""
    return f"{counted(sum(counts.values()), 'comparison')}: {each}{lost}."


def _decided(run: Run) -> Table:
    """What is faster or slower than what it is held against, beyond the tolerance."""
    columns = (
        Column("part", align="left"),
        Column("variant", align="left"),
        Column("against", align="left"),
        Column("time ratio", note="below 1 is faster"),
        Column("verdict", align="left"),
    )
    rows: list[tuple[Cell, ...]] = [
        (group, variant, _last(ratio.baseline), ratio.estimate, ratio.verdict)
        for group, variant, ratio in _ratios(run)
        if ratio.verdict in ("faster", "slower")
    ]
    return Table("Decided: faster or slower", columns, tuple(rows))


def _last(case: str) -> str:
    return case.rsplit("/", 1)[-1]


def _when(run: Run) -> tuple[tuple[str, str], ...]:
    rows = [("File", run.name), ("Measured", _stamp(run.measured_at or ""))]
    rows.append(("Time spent", f"{run.spent_s:.0f} s" if run.spent_s else ""))
    return tuple((name, value) for name, value in rows if value)


def _stamp(iso: str) -> str:
    """``2026-11-24 05:42 UTC``; as it is where it is no time."""
    try:
        when = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    return f"{when:%Y-%m-%d %H:%M}" + (" UTC" if when.utcoffset() == timedelta() else f" {when:%z}".rstrip())


def _section(answer: Answer, run: Run) -> Section:
    parts = _groups(answer.question, run)
    folds = [rounds.fold(part, variants, _blocks(answer, part, run)) for part, variants in parts.items()]
    return Section(
        title=answer.asks,
        sentences=tuple(noise_floors(parts)),
        charts=tuple(charts_of(parts, answer.fits, run)),
        tables=(*_tables(answer.question, parts), *_refused(answer.question, run)),
        warnings=tuple(answer.warnings),
        folds=(*_said_last(answer.question, run), *(fold for fold in folds if isinstance(fold, Fold))),
    )


def noise_floors(parts: dict[str, Variants]) -> Iterator[str]:
    """What the control says: how unlike the baseline came out to itself."""
    for part, variants in parts.items():
        effect = variants[CONTROL].effect if CONTROL in variants else None
        if effect is not None:
            baseline = _last(effect.baseline)
            yield (
                f"Noise floor of {part}: two measurements of {baseline} differ by "
                f"{abs(effect.estimate.value - 1.0):.1%}, {times(effect.estimate)}: "
                "smaller differences mean nothing."
            )
        for name, measured in variants.items():
            if (
                measured.level
                and measured.level.first
                and measured.case.environment == _environment(variants)
            ):
                took = f"the first epoch of {name} took {times(measured.level.first)} the time of"
                yield f"Noise floor of {part}: {took} the same epoch beside it."


def _environment(variants: Variants) -> dict[str, str] | None:
    """What the workers of the baseline were given."""
    return next((m.case.environment for m in variants.values() if m.effect is None), None)


def _tables(question: str, parts: dict[str, Variants]) -> Iterator[Table]:
    """The variants of each part, and the facts beside their time."""
    for part, variants in parts.items():
        if not variants:
            continue
        yield variants_table(f"{question}/{part}", variants)
        calls = quantiles_table(f"{question}/{part}: latency of a call", variants)
        if calls is not None:
            yield calls
        beside = facts_table(f"{question}/{part}: beside the time", variants)
        if beside is not None:
            yield beside


def _refused(question: str, run: Run) -> Iterator[Table]:
    """A row for each variant that does other work, with by how much: it is in no other table."""
    rows = tuple(
        (failure.case.partition("/")[2], failure.reason)
        for failure in run.failures
        if failure.case.startswith(f"{question}/") and failure.reason.startswith(NOT_THE_SAME)
    )
    if rows:
        columns = (Column("variant", align="left"), Column("not judged", align="left"))
        yield Table(f"{question}: other work", columns, rows)


def _said_last(question: str, run: Run) -> Iterator[Fold]:
    """The last lines of each worker that failed."""
    for failure in run.failures:
        if failure.case.startswith(f"{question}/") and failure.last_lines:
            yield Fold(f"What {failure.case} said last", sentences=tuple(failure.last_lines))


def _blocks(answer: Answer, part: str, run: Run) -> list[Block]:
    return run.blocks.get(f"{answer.question}/{part}", [])


def _method(run: Run) -> tuple[str, ...]:
    if run.schema is None:
        return (
            "The file is pytest-benchmark's own: rounds of one process each, so that no interval can be "
            "given and nothing is compared.",
        )
    counts = [ratio.estimate.n for _, _, ratio in _ratios(run)]
    levels = sorted(
        {m.iteration_s.confidence for variants in run.measured.values() for m in variants.values()}
    )
    at = f" at {levels[0]:.0%}" if len(levels) == 1 else ""
    ends = " to ".join(str(n) for n in sorted({min(counts), max(counts)})) if counts else ""
    over = f", {ends} of them a comparison" if ends else ""
    return (
        "Variants run in worker processes, one at a time. Rounds of the compared variants take turns in "
        "seeded random order and are synchronised at both ends. Warm-up rounds are kept in the file and "
        "left out of the numbers.",
        *_rules(run),
        f"Intervals are over set-ups{at}{over}.",
        f"Faster or slower: the whole interval lies outside the tolerance of {TOLERANCE:.0%}. Same: it lies "
        "inside. Undecided: neither. All variants of a part share one error rate "
        f"of {ALPHA:.0%} (Holm's step-down), the control by itself; the interval shown is each ratio's own, "
        "but where that alone would decide what is undecided among them all: there it is the wider one that "
        "the shared error rate leaves.",
        "Ratios are of time, a variant's over its baseline's: 0.5x is half the time, and below 1 is faster.",
        "The variant named control is the baseline measured against itself: how far it is from 1 shows "
        "what this machine did to the measurement.",
        "Statistics are computed anew from the raw rounds whenever a file is read.",
    )


def _rules(run: Run) -> Iterator[str]:
    """How numbers came from rounds: at rest, of medians, or both in one run."""
    rules = {m.rule for variants in run.measured.values() for m in variants.values()}
    if "at rest" in rules:
        yield (
            "Times and ratios are those of code at rest: what it takes when nobody disturbs it. A set-up "
            "gives the mean of its quickest tenth of rounds, and counts by how calm the machine was in it; "
            "the interval is widened by how far the quickest 5, 10 and 20 % of all rounds disagree. What was "
            "typical in that hour, by the medians, stands beside. The control is a second measurement of "
            "the baseline."
        )
    if any(m.quantiles for variants in run.measured.values() for m in variants.values()):
        yield (
            "Calls are synchronised and timed one by one. Those of one process are not independent: each "
            "set-up has processes of its own and gives its own quantile, told where a call at least lies "
            "beyond it. Shown is the median over set-ups, between two order statistics of them; there is no "
            "such interval of fewer than six."
        )
    if "medians" in rules:
        of_rest = "Where set-ups have fewer than 20 rounds, a" if "at rest" in rules else "A"
        yield (
            f"{of_rest} ratio is the median of log(variant / baseline) over the rounds of one set-up, and a "
            "round counts the less, the slower other variants were in it."
        )


def _reproduce(run: Run) -> tuple[str, ...]:
    """Commands to paste: nothing from the file stands in them unquoted."""
    if run.schema is None:
        return ()
    if {group.partition("/")[0] for group in run.measured} == {COMPARE}:
        return _compared_again(run)
    names = " ".join(quote(name) for name in dict.fromkeys(group.split("/", 1)[0] for group in run.measured))
    program = "python -m bench" if run.declared is None else "mtl-bench"
    command = [f"{program} run", names, *(["--quick"] if run.settings.get("quick") == "True" else [])]
    for option, name in OPTIONS.items():
        value = run.settings.get(name, USUAL.get(name))
        command += [f"--{option} {quote(value)}"] if value is not None else []
    kept = run.changes is not None and run.changes.diff is not None and run.name in ("", "run.json")
    again = "again.json" if kept else "run.json"
    return (
        *sources(run, run.name or "run.json"),
        " ".join([*filter(None, command), f"--json {again}"]),
        f"{program} report {again} --open",
    )


def _compared_again(run: Run) -> tuple[str, ...]:
    """The line of Python that compares the two once more."""
    variants = next(iter(run.measured.values()))
    sides = [_side(measured.case) for name, measured in variants.items() if name != CONTROL]
    options = {name: run.settings.get(name, usual) for name, usual in USUAL.items()}
    given = f"budget={options['budget']!r}, seed={options['seed']}"
    line = f"from bench.api import compare; print(compare({', '.join(map(repr, sides))}, {given}))"
    return (f"python -c {quote(line)}",)


def _side(case: Case) -> dict[str, object]:
    """A side of it, as it is given."""
    settings = {name: value for name, value in case.settings.items() if name not in ("network", "part")}
    environment = {"environment": case.environment} if case.environment else {}
    return {"task": case.settings.get("network", ""), **settings, **environment}
