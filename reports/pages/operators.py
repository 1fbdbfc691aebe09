"""Operator shares of two or more profiles of one benchmark side by side."""

from __future__ import annotations

from collections.abc import Iterator

from bench.records.comparison import SCHEMA, SharedOperators
from bench.records.run import Estimate
from bench.stats.verdict import ALPHA
from reports.model.page import Page, Record, Row
from reports.model.tables import Column, Table
from reports.pages.comparison_tables import RUN, runs_table
from reports.pages.single import fields_of, four_columns, one_section_page

METHOD = (
    "Shares are of the time of all operators under MXNet's profiler, with intervals over its set-ups; every "
    "change is the difference from the share in the first profile.",
)


def operators_page(shared: SharedOperators) -> Page:
    """Every operator's share in each profile; every change is against the first."""
    different = sum(word == "different" for o in shared.operators for word in o.verdicts.values())
    judged = sum(len(operator.verdicts) for operator in shared.operators)
    return one_section_page(
        "Comparison of profiles",
        shared.benchmark,
        f"{different} of {judged} shares are different.",
        sentences=sentences(shared),
        tables=tables(shared),
        method=METHOD,
        record=Record(
            "operators",
            "Every operator's share and verdict",
            fields_of(shared, schema=SCHEMA),
            lambda: _rows(shared),
        ),
    )


def sentences(shared: SharedOperators) -> list[str]:
    """Whose share of the operators' time is another than in the first profile."""
    first = shared.sides[0].label
    different = [
        f"{operator.name} takes {100 * operator.shares[first].value:.1f} % of the operators' time "
        f"in {first} and {100 * operator.shares[label].value:.1f} % in {label}: {word}."
        for operator in shared.operators
        for label, word in operator.verdicts.items()
        if word == "different"
    ]
    return [
        f"{shared.benchmark}: shares under MXNet's profiler, a regime of its own. "
        f"Shares within {100 * shared.tolerance:.0f} point are the same; all verdicts share one error rate "
        f"of {ALPHA:.0%} (Holm).",
        *different,
    ]


def tables(shared: SharedOperators) -> list[Table]:
    """The profiles, and every operator's share in each."""
    columns = (
        Column("operator", align="left"),
        RUN,
        Column("time a step", "s"),
        Column("share", "%"),
        Column(f"points against {shared.sides[0].label}"),
        Column("verdict", align="left"),
    )
    rows = tuple(
        (
            operator.name,
            label,
            operator.seconds[label].value,
            _percent(operator.shares[label]),
            _percent(operator.changes[label]) if label in operator.changes else None,
            operator.verdicts.get(label),
        )
        for operator in shared.operators
        for label in operator.shares
    )
    return [runs_table(shared.sides), Table("Operators", columns, rows)]


def _percent(share: Estimate) -> Estimate:
    """The same in hundredths."""
    ends = {"low": 100 * share.low, "high": 100 * share.high}
    return Estimate(value=100 * share.value, **ends, confidence=share.confidence, n=share.n)


def _rows(shared: SharedOperators) -> Iterator[Row]:
    """Every operator in every profile, and its change against the first."""
    files = {side.label: side.name for side in shared.sides}
    for operator in shared.operators:
        for label in operator.shares:
            yield {
                "benchmark": shared.benchmark,
                "operator": operator.name,
                "run": label,
                "file": files[label],
                **four_columns("share", operator.shares[label]),
                **four_columns("seconds", operator.seconds[label]),
                **four_columns("share_change", operator.changes.get(label)),
                "verdict": operator.verdicts.get(label),
            }
