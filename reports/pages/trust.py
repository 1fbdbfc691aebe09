"""How far comparisons can be trusted, as a table and sentences."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from bench.records.run import Estimate
from bench.records.trust import Rate, Study, Trust
from reports.formats.terminal import page as terminal
from reports.model.tables import Cell, Column, Table


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


def sentences(trust: Trust) -> list[str]:
    """What the study came to in words."""
    said = [
        f"{trust.units} invocations of two processes, {trust.conditions}; a step takes "
        f"{1e3 * trust.step_s:.2f} ms. Identical code differs by {trust.spread:.2%} (standard deviation) "
        f"from invocation to invocation: {trust.set_up_spread:.2%} from set-up to set-up, and "
        f"{trust.invocation_spread:.2%} that the set-ups of an invocation share.",
        f"An invocation of both sides costs {trust.unit_s:.1f} s with {trust.set_ups} set-ups; "
        f"{_best(trust)}.",
    ]
    measured = ", ".join(
        f"{100 * rate.slow_down:g} % as {100 * rate.measured:.2f} %"
        for rate in trust.studies[0].rates
        if rate.slow_down and rate.budget_s == trust.studies[0].rates[0].budget_s
    )
    said.append(f"The slow-downs were measured over the whole recording: {measured}.")
    for study in trust.studies:
        said += _conclusions(study)
    return said


def _conclusions(study: Study) -> list[str]:
    """False alarms and a recommendation at one error rate."""
    said = [_begun(study)]
    for rate in study.rates:
        if rate.slow_down == 0 and rate.comparisons:
            wrong = rate.verdicts["slower"] + rate.verdicts["faster"]
            said.append(f"  False alarms within {rate.budget_s:g} s: {counted(wrong, rate.changed)}.")
    if study.recommended is None:
        said.append(
            "  No tolerance can be recommended: identical code is called same too seldom, or the recording "
            "is too short."
        )
    else:
        said.append(
            f"  Recommended on this machine: --tolerance {100 * study.recommended:g}% for comparisons of "
            f"{study.rates[0].budget_s:g} s."
        )
    return said


def _of(study: Study) -> str:
    return "step alone" if study.benchmarks == 1 else f"step, the first of {study.benchmarks}"


def _begun(study: Study) -> str:
    if study.benchmarks == 1:
        return f"Alone (regress step) the step is judged at {100 * study.alpha:g} %:"
    return (
        f"With all {study.benchmarks} benchmarks (regress) the error rate is shared, and the first is "
        f"judged at {100 * study.alpha:g} %:"
    )


def _compared(study: Study, budget_s: float) -> bool:
    """Whether the recording held a comparison; a table of none would say nothing."""
    return any(rate.comparisons for rate in study.rates if rate.budget_s == budget_s)


def in_terminal(trust: Trust) -> RenderableType:
    """A table an error rate and budget for which there are comparisons, then the sentences."""
    budgets = list(dict.fromkeys(rate.budget_s for rate in trust.studies[0].rates))
    pairs = [(study, budget) for study in trust.studies for budget in budgets]
    made = [(study, budget) for study, budget in pairs if _compared(study, budget)]
    tables: list[RenderableType] = [terminal.table(table(study, budget)) for study, budget in made]
    if not tables:
        limits = ", ".join(f"{budget:g} s" for budget in budgets)
        tables.append(
            Text(f"Too short for a single comparison of at most {limits}: record longer, by --resume.")
        )
    return Group(*tables, *(Text(sentence) for sentence in sentences(trust)))
