"""What a question makes of a run in haste, of what the user fixes, and of its headline."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.questions.plan import Plan
from bench.questions.question import Asked, Part, Question, Quick, Variant
from bench.records.run import CONTROL
from tests.test_harness import question


def hasty() -> Question:
    return replace(
        question("slow", "quick"),
        fixed={"images": 600, "data": "mnist"},
        parts={"p": Part(), "q": Part(variants={"slow": Variant(), "x": Variant()})},
        quick=Quick(variants=("slow",), settings={"images": 60}, rounds=2),
    )


def test_a_quick_run_leaves_out_what_the_question_says() -> None:
    groups = hasty().groups(Asked(quick=True))
    assert [set(g.cases) for g in groups] == [{"slow", CONTROL}, {"slow", CONTROL}]
    assert groups[0].cases["slow"].settings["images"] == 60
    assert (groups[0].plan.rounds, groups[0].plan.least_blocks) == (2, 3)
    bare = replace(hasty(), quick=replace(hasty().quick, control=False))
    assert [set(g.cases) for g in bare.groups(Asked(quick=True))] == [{"slow"}, {"slow"}]
    assert CONTROL in bare.groups()[0].cases


def test_the_headline_has_the_control_and_more_set_ups_at_the_least() -> None:
    parts = {"p": Part(), "q": Part()}
    full = replace(question("slow", "quick"), parts=parts, headline="q")
    groups = full.groups()
    assert [CONTROL in group.cases for group in groups] == [False, True]
    assert [group.plan.least_blocks for group in groups] == [2, full.plan.least_blocks]
    fresh = replace(full, plan=replace(full.plan, fresh=True))
    assert [group.plan.least_blocks for group in fresh.groups()] == [full.plan.least_blocks] * 2


def test_a_part_has_settings_of_its_own_in_a_quick_run_too() -> None:
    parts = {"p": Part(), "q": Part(settings={"images": 5000})}
    less = Quick(settings={"images": 60}, part_settings={"q": {"images": 500}})
    own = replace(hasty(), parts=parts, quick=less)
    found = {
        quick: [group.cases["slow"].settings["images"] for group in own.groups(Asked(quick=quick))]
        for quick in (False, True)
    }
    assert found == {False: [600, 5000], True: [60, 500]}


def test_what_the_user_fixes_replaces_what_the_question_names_and_nothing_else() -> None:
    asked = Asked(settings={"data": "synthetic", "batch_size": 7}, environment={"OMP_NUM_THREADS": "1"})
    (case, *_) = hasty().groups(asked)[0].cases.values()
    assert case.settings == {"images": 600, "data": "synthetic", "speed": "slow"}
    assert case.environment == {"OMP_NUM_THREADS": "1"}
    whole = replace(hasty(), variants={"slow": Variant(environment={"OMP_NUM_THREADS": "2"})})
    assert whole.groups(asked)[0].cases["slow"].environment == {"OMP_NUM_THREADS": "2"}


def test_parts_beside_the_headline_may_be_less_certain() -> None:
    groups = replace(hasty(), headline="q", plan=Plan(target=0.01)).groups()
    assert [g.plan.target for g in groups] == pytest.approx([0.05, 0.01])
