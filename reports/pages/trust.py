"""How far this machine's comparisons can be trusted: a page in sentences and tables."""

from __future__ import annotations

from bench.records.run import Estimate
from bench.records.trust import Rate, Study, Trust
from reports.model.page import Answered, Page, Record, Section
from reports.model.tables import Cell, Column, Table
from reports.pages.single import fields_of

SCHEMA = 1  # of the record as JSON
METHOD = (
    "Identical code, and code slowed by shares that were set, is recorded; then the rule that regress "
    "decides by is replayed over disjoint pieces of the recording, so that comparisons are independent.",
    "Shares have the intervals of Clopper and Pearson.",
)


def trust_page(trust: Trust) -> Page:
    """What a machine's comparisons can be trusted with: an answer an error rate, a table a budget."""
    budgets = list(dict.fromkeys(rate.budget_s for rate in trust.studies[0].rates))
    pairs = [(study, budget) for study in trust.studies for budget in budgets]
    tables = tuple(table(study, budget) for study, budget in pairs if _compared(study, budget))
    limits = ", ".join(f"{budget:g} s" for budget in budgets)
    too_short = f"Too short for a single comparison of at most {limits}: record longer, by --resume."
    title = "Called slower, same, faster"
    return Page(
        title=f"comparisons on {trust.machine}",
        kind="Trust",
        verdict=recommendation(trust.studies[0]),
        answers=(
            Answered("How far do invocations of identical code differ?", tuple(measured(trust)), apart=True),
            *(
                Answered(begun(study), tuple(conclusions(study)), title, apart=True)
                for study in trust.studies
            ),
        ),
        warnings=() if tables else (too_short,),
        sections=(Section(title, tables=tables),) if tables else (),
        method=METHOD,
        record=Record("trust", "Every share and what it was counted from", fields_of(trust, schema=SCHEMA)),
    )


def table(study: Study, budget_s: float) -> Table:
    """A row a slow-down at one budget and tolerance."""
    rates = [rate for rate in study.rates if rate.budget_s == budget_s]
    columns = (
        Column("slow-down"),
        Column("called slower"),
        Column("same"),
        Column("faster"),
        Column("undecided"),
        Column("took", "s"),
    )
    first = rates[0]
    title = f"{_of(study)}: tolerance {100 * first.tolerance:g} %, at most {budget_s:g} s a comparison"
    return Table(title, columns, tuple(_row(rate) for rate in rates))


def _row(rate: Rate) -> tuple[Cell, ...]:
    return (
        f"{100 * rate.slow_down:g} %" if rate.slow_down else "none",
        counted(rate.verdicts["slower"], rate.slower),
        *(rate.verdicts[verdict] for verdict in ("same", "faster", "undecided")),
        round(rate.seconds) if rate.comparisons else None,
    )


def counted(hits: int, share: Estimate) -> str:
    """``12 of 14 (57.2 to 98.2 %)``: a count with the interval of its share."""
    if not share.n:
        return "0 of 0"
    return f"{hits} of {share.n} ({100 * share.low:.1f} to {100 * share.high:.1f} %)"


def _best(trust: Trust) -> str:
    if trust.best_set_ups is None:
        return "invocations were not seen to differ, so that more set-ups would cost least"
    return f"about {max(1.0, trust.best_set_ups):.0f} would use the time best"


def measured(trust: Trust) -> list[str]:
    """The machine's own spread, what an invocation costs, and the slow-downs as they were measured."""
    slow_downs = ", ".join(
        f"{100 * rate.slow_down:g} % as {100 * rate.measured:.2f} %"
        for rate in trust.studies[0].rates
        if rate.slow_down and rate.budget_s == trust.studies[0].rates[0].budget_s
    )
    return [
        f"{trust.units} invocations of two processes, {trust.conditions}; a step takes "
        f"{1e3 * trust.step_s:.2f} ms. Identical code differs by {trust.spread:.2%} (standard deviation) "
        f"from invocation to invocation: {trust.set_up_spread:.2%} from set-up to set-up, and "
        f"{trust.invocation_spread:.2%} that the set-ups of an invocation share.",
        f"An invocation of both sides costs {trust.unit_s:.1f} s with {trust.set_ups} set-ups; "
        f"{_best(trust)}.",
        f"The slow-downs were measured over the whole recording: {slow_downs}.",
    ]


def conclusions(study: Study) -> list[str]:
    """False alarms and a recommendation at one error rate."""
    alarms = [
        f"False alarms within {rate.budget_s:g} s: "
        f"{counted(rate.verdicts['slower'] + rate.verdicts['faster'], rate.changed)}."
        for rate in study.rates
        if rate.slow_down == 0 and rate.comparisons
    ]
    return [*alarms, recommendation(study)]


def recommendation(study: Study) -> str:
    """The tolerance to use on this machine, or why none can be named."""
    if study.recommended is None:
        return (
            "No tolerance can be recommended: identical code is called same too seldom, or the recording "
            "is too short."
        )
    return (
        f"Recommended on this machine: --tolerance {100 * study.recommended:g}% for comparisons of "
        f"{study.rates[0].budget_s:g} s."
    )


def _of(study: Study) -> str:
    return "step alone" if study.benchmarks == 1 else f"step, the first of {study.benchmarks}"


def begun(study: Study) -> str:
    """At which error rate the step is judged."""
    if study.benchmarks == 1:
        return f"Alone (regress step) the step is judged at {100 * study.alpha:g} %:"
    return (
        f"With all {study.benchmarks} benchmarks (regress) the error rate is shared, and the first is "
        f"judged at {100 * study.alpha:g} %:"
    )


def _compared(study: Study, budget_s: float) -> bool:
    """Whether the recording held a comparison; a table of none would say nothing."""
    return any(rate.comparisons for rate in study.rates if rate.budget_s == budget_s)
