"""How far this machine's comparisons can be trusted: a page in sentences and tables."""

from __future__ import annotations

from bench.records.run import Estimate
from bench.records.trust import Cell, Counted, Drawn, Held, Recommended, Tally, Trust
from reports.model.page import Answered, Page, Record, Section
from reports.model.tables import Column, Table
from reports.pages.single import fields_of

SCHEMA = 2  # of the record as JSON; 1 had the slow-downs of the rule of medians
METHOD = (
    "Code as it is and code with work injected is recorded side by side, a process a set-up each; then the "
    "rule that regress decides by is replayed over disjoint pieces of the recording.",
    "Counts have the intervals of Clopper and Pearson. The share behind them is over comparisons drawn from "
    "the recorded set-ups: known better, but not independent, and without what order in time does.",
    "The calm value is the ratio at rest by all that was recorded with no neighbour of ours beside it; its "
    "own error is added where an interval is held against it. Hours are told apart by the share of calm "
    "rounds: restless below 25 %, usual below 50 %, calm above.",
)


def trust_page(trust: Trust) -> Page:
    """What a machine's comparisons can be trusted with: a section a condition and mood of the hour."""
    made = [cell for cell in trust.cells if any(calls.comparisons for calls in cell.calls)]
    budgets = list(dict.fromkeys(calls.budget_s for cell in trust.cells for calls in cell.calls))
    limits = ", ".join(f"{budget:g} s" for budget in budgets)
    too_short = f"Too short for a single comparison of at most {limits}: record longer, by --resume."
    return Page(
        title=f"comparisons on {trust.machine}",
        kind="Trust",
        verdict=recommendation(trust.recommended),
        answers=(
            Answered("What was recorded?", tuple(recorded(trust)), apart=True),
            *(Answered(asked(cell), tuple(alarms(cell)), named(cell), apart=True) for cell in made),
        ),
        warnings=() if made else (too_short,),
        sections=tuple(Section(named(cell), tables=tuple(tables(cell))) for cell in made),
        method=METHOD,
        record=Record("trust", "Every share and what it was counted from", fields_of(trust, schema=SCHEMA)),
    )


def named(cell: Cell) -> str:
    """The condition, and the mood of its hours."""
    return f"{cell.condition}, {cell.mood}"


def asked(cell: Cell) -> str:
    """The question that a cell answers."""
    return f"How often is regress step wrong: {named(cell)}?"


def recorded(trust: Trust) -> list[str]:
    """How much there is, in words."""
    of = [f"The step is that of {trust.network}."] if trust.network else []
    by = [f"Workers ran in {trust.workers}."] if trust.workers else []
    return [
        *of,
        *by,
        f"{trust.units} invocations, {trust.recorded}; a step takes {1e3 * trust.step_s:.2f} ms at rest, and "
        f"a unit of two processes costs a comparison {trust.pair_s:.1f} s.",
        *(
            f"{cell.condition}, {cell.mood}: {cell.units} invocations in {cell.hours} "
            f"hour{'s' * (cell.hours > 1)}, calm in {cell.calm_share:.0%} of rounds."
            for cell in trust.cells
        ),
        *(
            f"{short(calls.variant)}: {calls.says}, judged at a tolerance of {100 * calls.tolerance:g} %."
            for calls in trust.cells[0].calls
            if calls.budget_s == trust.cells[0].calls[0].budget_s
        ),
    ]


def alarms(cell: Cell) -> list[str]:
    """What identical code was called, by budget, with the upper limit."""
    return [
        f"Identical code within {calls.budget_s:g} s: called slower or faster in {calls.right.hits} of "
        f"{calls.comparisons}; as few as that still allow {calls.right.share.high:.1%}."
        for calls in cell.calls
        if calls.expected == "nothing" and calls.comparisons
    ]


def tables(cell: Cell) -> list[Table]:
    """Intervals against the calm value, then verdicts by budget."""
    budgets = list(dict.fromkeys(calls.budget_s for calls in cell.calls))
    by_budget = [[calls for calls in cell.calls if calls.budget_s == budget] for budget in budgets]
    intervals = [held_table(cell.held)] if any(h.held.share.n for h in cell.held) else []
    return [*intervals, *(calls_table(c) for c in by_budget if any(each.comparisons for each in c))]


def held_table(several: list[Held]) -> Table:
    """A row a kind of code."""
    columns = (
        Column("code", align="left"),
        Column("calm value", "x"),
        Column("held by"),
        Column("half-width", "%"),
        Column("9 of 10", "%"),
    )
    rows = tuple(
        (short(h.variant), h.calm, count(h.held, h.drawn), percent(h.half_width), percent(h.wide))
        for h in several
    )
    fewest, most = min(h.units for h in several), max(h.units for h in several)
    units = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    return Table(f"95 % intervals of {units} invocations hold the calm value", columns, rows)


def calls_table(several: list[Tally]) -> Table:
    """A row a kind of code, at one budget."""
    columns = (
        Column("code", align="left"),
        Column("called as it is"),
        Column("at rest / now and then / faster / same / undecided"),
        Column("half-width", "%"),
        Column("took", "s"),
    )
    title = f"called within {several[0].budget_s:g} s (identical code: called slower or faster)"
    return Table(title, columns, tuple(_row(calls) for calls in several))


def _row(calls: Tally) -> tuple[str | int | float | None, ...]:
    verdicts = calls.verdicts
    at_rest = verdicts["slower"] - calls.now_and_then
    rest = (verdicts[verdict] for verdict in ("faster", "same", "undecided"))
    return (
        short(calls.variant),
        count(calls.right, calls.drawn),
        " / ".join(map(str, (at_rest, calls.now_and_then, *rest))),
        percent(calls.half_width),
        None if calls.seconds is None else round(calls.seconds),
    )


def short(variant: str) -> str:
    """The name of a kind of code, in words; :func:`recorded` says what each is."""
    return variant.replace("_", " ")


def count(counted: Counted, drawn: Drawn) -> str:
    """``12 of 14 (57.2 to 98.2 %); 96.1 % of 2000``: a count, its interval, and the share of drawn ones."""
    disjoint = counted_as(counted.hits, counted.share)
    return f"{disjoint}; {share(drawn)}" if drawn.comparisons else disjoint


def counted_as(hits: int, of: Estimate) -> str:
    """A count and the interval of its share, in words."""
    return f"{hits} of {of.n} ({100 * of.low:.1f} to {100 * of.high:.1f} %)" if of.n else "0 of 0"


def share(drawn: Drawn) -> str:
    """``98.2 % of 2000``."""
    return f"{100 * drawn.hits:.1f} % of {drawn.comparisons}"


def percent(part: float | None) -> str | None:
    """``0.84`` for a half-width of 0.84 %."""
    return None if part is None else f"{100 * part:.2f}"


def recommendation(several: list[Recommended]) -> str:
    """The tolerance to use on this machine, or why none can be named."""
    decided = [each for each in several if each.tolerance is not None]
    if not decided:
        return (
            "No tolerance can be recommended: identical code is called same too seldom, or the recording is "
            "too short."
        )
    parts = [f"--tolerance {100 * (each.tolerance or 0.0):g}% for {_of(each)}" for each in decided]
    return f"Recommended on this machine, for comparisons of {decided[0].budget_s:g} s: {', '.join(parts)}."


def _of(recommended: Recommended) -> str:
    if recommended.benchmarks == 1:
        return "regress step"
    return f"regress, whose {recommended.benchmarks} benchmarks share the error rate"
