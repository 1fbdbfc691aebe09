"""The order of rounds: another for other revisions and another benchmark, the same again for the same."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from bench.gate import revisions as regress
from bench.gate import stored as against_stored
from bench.gate.revisions import Settings, seed_of
from bench.gate.sides import Side
from bench.questions.gate import GATE
from bench.records.regression import Comparison, Regression
from mtl_core.errors import UserError
from reports.pages.regression import method
from tests.revisions import commit

SIDES = tuple(Side(name, Path(), sys.executable, {b.name: b for b in GATE}) for name in ("base", "head"))


def settings(seed: int | None = None) -> Settings:
    return Settings(60.0, lambda name: 0.02, seed=seed)


def test_a_seed_follows_from_its_parts_and_their_order() -> None:
    """In every process alike: Python's own hash of a text is another one in each."""
    assert seed_of("a", "b") == 0x59B271AE
    assert len({seed_of("a", "b"), seed_of("b", "a"), seed_of("ab"), seed_of("a", "b", None)}) == 4
    assert all(0 <= seed_of(number) < 2**32 for number in range(100))


class EnoughError(UserError):
    """Ends a comparison where its orders would be drawn."""


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The seeds that harnesses are made with."""
    seeds: list[int] = []

    def harness(seed: int, **_: Any) -> None:
        seeds.append(seed)
        raise EnoughError

    monkeypatch.setattr(regress, "Harness", harness)
    monkeypatch.setattr(against_stored, "Harness", harness)
    return seeds


def test_each_benchmark_has_orders_of_its_own(drawn: list[int]) -> None:
    for name, seed in (("step", 1), ("step", 1), ("forward", 1), ("step", 2)):
        with pytest.raises(EnoughError):
            regress.measure(name, SIDES, settings(seed), 0.05)
        with pytest.raises(EnoughError):
            against_stored.measure(SIDES[1].benchmarks[name], SIDES[1], settings(seed))
    assert drawn[::2] == drawn[1::2]
    again, once, *others = drawn[::2]
    assert again == once
    assert len({once, *others}) == 3


def test_other_revisions_draw_other_orders_and_the_same_ones_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = tmp_path / "bench" / "questions" / "gate.py"
    gate.parent.mkdir(parents=True)
    revisions = []
    for text in ("one", "two"):
        gate.write_text(text)
        revisions.append(commit(tmp_path, text))
    seen: list[int | None] = []

    def compare(_: list[str], __: tuple[Side, ...], chosen: Settings) -> list[Comparison]:
        seen.append(chosen.seed)
        return []

    monkeypatch.setattr(regress, "both_sides", lambda *_: SIDES)
    monkeypatch.setattr(regress, "compare", compare)

    def seed(base: str, given: int | None = None) -> int | None:
        return regress.between([], base, "HEAD", tmp_path, settings(given)).seed

    told = [seed("HEAD~1"), seed("HEAD~1"), seed("HEAD"), seed("HEAD", 0)]
    assert told == seen == [seed_of(*revisions), seed_of(*revisions), seed_of(revisions[1], revisions[1]), 0]


def test_the_seed_is_told() -> None:
    known = Regression(base="a", head="b", budget_s=1.0, confidence=0.95, comparisons=[], seed=7)
    assert method(known).endswith("Order of rounds: --seed 7.")
