"""Operator shares of two or more profiles of one benchmark (``profile.json``) side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.comparison.runs import label
from bench.records.comparison import ComparedRun, Judgement, SharedOperator, SharedOperators
from bench.records.run import Case, Estimate, Machine
from bench.results.profile_file import check_schema, file_of, read_document, record_of
from bench.stats.estimates import Mean
from bench.stats.shares import difference
from bench.stats.verdict import verdicts
from mtl_core.errors import UserError

TOLERANCE = 0.01  # of all operators' time: one point


class ProfiledOperator(msgspec.Struct, frozen=True, kw_only=True):
    """What of an operator is compared."""

    name: str
    seconds: Estimate  # a step
    share: Estimate  # of the time of all operators


class OperatorShares(msgspec.Struct, frozen=True, kw_only=True):
    """What of a profile is compared; the rest of its file is passed over."""

    schema: int
    case: Case
    measured_at: str
    machine: Machine
    operators: list[ProfiledOperator]


def read_shares(path: Path) -> OperatorShares:
    """The operators of a profile. Raises UserError, naming the file, for anything that is not one."""
    path = file_of(path)
    document = read_document(path)
    check_schema(document, path)
    shares = record_of(document, OperatorShares, path)
    if len({operator.name for operator in shares.operators}) < len(shares.operators):
        raise UserError(f"{path} tells of an operator twice; profile again")
    return shares


def compare_shares(profiles: Sequence[OperatorShares], names: Sequence[str]) -> SharedOperators:
    """Every operator's share in each profile, and whether it differs from the first's.

    Raises UserError, naming the field, for profiles of unlike benchmarks.
    """
    if len(profiles) < 2:
        raise UserError("1 profile given; comparing takes two or more")
    first = profiles[0]
    for other, name in zip(profiles, names, strict=True):
        _check_alike(first.case, other.case, names[0], name)
    by_label = {label(n): {o.name: o for o in profile.operators} for n, profile in enumerate(profiles)}
    everywhere = dict.fromkeys(name for operators in by_label.values() for name in operators)
    changes = {
        f"{lab} {name}": difference(operators[name].share, by_label["A"][name].share)
        for lab, operators in by_label.items()
        for name in everywhere
        if lab != "A" and name in operators and name in by_label["A"]
    }
    # The band of the rule is on logarithms; a difference of shares takes their place.
    decided = verdicts(changes, math.expm1(TOLERANCE))
    shared = [
        _operator(name, by_label, changes, {n: _word(v) for n, v in decided.items()}) for name in everywhere
    ]
    return SharedOperators(
        benchmark=first.case.name,
        sides=[_side(label(n), name, p) for n, (p, name) in enumerate(zip(profiles, names, strict=True))],
        operators=sorted(shared, key=lambda o: -max(share.value for share in o.shares.values())),
        tolerance=TOLERANCE,
    )


def _check_alike(first: Case, other: Case, first_name: str, other_name: str) -> None:
    for field in ("question", "part", "variant", "workload", "settings", "environment"):
        one, two = getattr(first, field), getattr(other, field)
        if one != two:
            raise UserError(
                f"{field} is {one!r} in {first_name} and {two!r} in {other_name}; "
                f"compare profiles with equal {field}"
            )


def _word(verdict: str) -> Judgement:
    return "different" if verdict in ("faster", "slower") else "same" if verdict == "same" else "undecided"


def _operator(
    name: str,
    by_label: dict[str, dict[str, ProfiledOperator]],
    changes: dict[str, Mean],
    words: dict[str, Judgement],
) -> SharedOperator:
    mine = {lab: operators[name] for lab, operators in by_label.items() if name in operators}
    return SharedOperator(
        name=name,
        shares={lab: operator.share for lab, operator in mine.items()},
        seconds={lab: operator.seconds for lab, operator in mine.items()},
        changes={lab: changes[f"{lab} {name}"].interval() for lab in mine if f"{lab} {name}" in changes},
        verdicts={lab: words[f"{lab} {name}"] for lab in mine if f"{lab} {name}" in words},
    )


def _side(lab: str, name: str, profile: OperatorShares) -> ComparedRun:
    machine = profile.machine
    return ComparedRun(
        label=lab,
        name=name,
        measured_at=profile.measured_at,
        schema=profile.schema,
        machine=machine.class_key,
        source=machine.source,
    )
