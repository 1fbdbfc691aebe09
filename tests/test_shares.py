"""Operator shares of profiles: compared point by point, unlike or damaged ones refused by name."""

from __future__ import annotations

import copy
import json
import math
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench.comparison.profiles import OperatorShares, compare_shares, read_shares
from bench.records.profile import PROFILE_SCHEMA
from bench.records.run import Estimate
from bench.results.profile_file import PROFILE_FILE
from bench.results.recognise import is_profile
from bench.stats.shares import mean_behind
from mtl_core.errors import UserError
from reports.pages import operators as told
from tests.reported import as_csv
from tests.test_compare import MACHINE, case


def share(value: float, spread: float = 0.001, n: int = 6) -> dict[str, Any]:
    return {"value": value, "low": value - spread, "high": value + spread, "confidence": 0.95, "n": n}


def profile(**shares: float) -> dict[str, Any]:
    """What ``profile.json`` holds, with a field that is not compared."""
    operators = [
        {"name": name, "seconds": share(value * 1e-3, 1e-6), "share": share(value), "calls": 2.0}
        for name, value in shares.items()
    ]
    return {
        "schema": 1,
        "case": msgspec.to_builtins(case("hybridized")),
        "measured_at": "2026-01-01T00:00:00+00:00",
        "machine": msgspec.to_builtins(MACHINE),
        "operators": operators,
        "notes": ["not compared"],
    }


@pytest.mark.parametrize("schema", [PROFILE_SCHEMA + 1, 0, "1", True, None])
def test_a_profile_of_another_schema_is_not_compared(tmp_path: Path, schema: Any) -> None:
    """A field of it may mean something else."""
    content = {**profile(dot=1.0), "schema": schema}
    with pytest.raises(UserError, match=f"has schema '{schema}', while this version reads 1 to"):
        read_shares(written(tmp_path, "x", content))


def written(folder: Path, name: str, content: Any) -> Path:
    (folder / name).mkdir()
    (folder / name / PROFILE_FILE).write_text(json.dumps(content))
    return folder / name / PROFILE_FILE


def read(content: Any) -> OperatorShares:
    return msgspec.convert(content, OperatorShares)


def test_a_share_that_moved_is_different_and_one_within_a_point_the_same() -> None:
    before, after = profile(dot=0.5, relu=0.3, adam=0.2), profile(dot=0.6, relu=0.302, new=0.098)
    found = compare_shares([read(before), read(after)], ["a", "b"])
    words = {operator.name: operator.verdicts.get("B") for operator in found.operators}
    assert words == {"dot": "different", "relu": "same", "adam": None, "new": None}
    change = found.operators[0].changes["B"]
    assert found.operators[0].name == "dot"
    assert change.low < 0.1 < change.high
    assert "dot takes 50.0 % of the operators' time in A and 60.0 % in B: different." in told.sentences(found)
    assert len(as_csv(told.operators_page(found)).splitlines()) == 1 + 3 + 3


def test_one_set_up_has_no_interval_and_decides_nothing() -> None:
    one = profile(dot=0.5)
    one["operators"][0]["share"] = {**share(0.5), "low": None, "high": None, "n": 1}
    assert compare_shares([_from(one), _from(one)], ["a", "b"]).operators[0].verdicts == {"B": "undecided"}


def _from(content: Any) -> OperatorShares:
    from bench.records.infinities import endless

    return read(endless(content))


def test_files_and_their_folders_are_read(tmp_path: Path) -> None:
    path = written(tmp_path, "before", profile(dot=1.0))
    assert is_profile(path) and is_profile(path.parent)
    assert not is_profile(tmp_path)
    assert read_shares(path) == read_shares(path.parent)


def test_profiles_of_unlike_benchmarks_are_refused_by_the_field() -> None:
    other = copy.deepcopy(profile(dot=1.0))
    other["case"]["settings"] = {"batch_size": 64}
    said = re.escape("settings is {} in a and {'batch_size': 64} in b")
    with pytest.raises(UserError, match=said):
        compare_shares([read(profile(dot=1.0)), read(other)], ["a", "b"])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], "no profile of this suite"),
        ({"schema": 1}, "damaged or no profile"),
        ("twice", "an operator twice"),
    ],
)
def test_what_is_no_profile_is_refused_in_one_line(tmp_path: Path, content: Any, said: str) -> None:
    if content == "twice":
        content = profile(dot=1.0)
        content["operators"] *= 2
    with pytest.raises(UserError, match=said) as caught:
        read_shares(written(tmp_path, "x", content))
    assert "\n" not in str(caught.value)


def test_an_interval_of_no_confidence_tells_no_error() -> None:
    estimate = Estimate(value=0.2, low=0.1, high=0.3, confidence=0.0, n=5)
    assert mean_behind(estimate).error == math.inf
