"""What a budget cannot hold is told beforehand, and the budget is kept."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from bench.commands.run import declared_questions
from bench.harness.least import ENOUGH, Least, least
from bench.harness.schedule import Schedule
from bench.questions.question import Asked
from bench.records.run import CONTROL
from bench.results.costs import (
    REFERENCE,
    asked_in_words,
    costs_elsewhere,
    costs_in,
    keep_costs,
    read_costs,
)
from bench.stats.verdict import family_of
from tests.test_harness import question
from tests.test_schedule import schedule


def of_questions(budget_s: float, names: str, cost_s: float = 2.0) -> tuple[Schedule, list[str], list[Least]]:
    """A schedule over a question a letter, each of a part of its own that takes as long."""
    plan, order = schedule(budget_s, dict.fromkeys(names, 0.001), cost_s)
    plan.groups = [replace(group, question=group.part) for group in plan.groups]
    lacking: list[Least] = []
    plan.leaves_out = lacking.append
    return plan, order, lacking


def test_what_a_budget_cannot_hold_is_left_out_before_it_is_measured_where_costs_are_known() -> None:
    plan, order, lacking = of_questions(20.0, "abc")
    plan.cost_s = {"a/a": 2.0, "b/b": 8.0, "c/c": 2.0}
    plan.run()
    (one,) = lacking
    assert one == Least(12.0 * ENOUGH, ("b",))
    assert "b" not in order and plan.spent_s() <= 20.0
    assert one.in_words(20.0, quick=True) == (
        f"--quick needs about {12 * ENOUGH} s here; --budget 20s leaves out b: "
        "choose a larger --budget, or name the questions to ask"
    )


def test_where_no_cost_is_known_the_first_set_ups_tell() -> None:
    plan, order, lacking = of_questions(13.0, "abc", 3.0)
    plan.run()
    assert order[:3] == ["a", "b", "c"] and lacking and plan.spent_s() <= 13.0 + 3.0
    left_out = set(lacking[0].left_out)
    assert left_out and not left_out & set(order[3:])


def test_a_budget_that_holds_an_interval_for_each_leaves_nothing_out_though_none_is_narrow() -> None:
    """Four set-ups each would take 48 s: fewer of each tell more than four of one."""
    plan, order, lacking = of_questions(30.0, "abc", 4.0)
    plan.run()
    assert lacking == [] and all(order.count(name) >= ENOUGH for name in "abc")


def test_a_budget_that_holds_all_leaves_nothing_out() -> None:
    plan, _, lacking = of_questions(200.0, "abc")
    plan.cost_s = {"a/a": 2.0, "b/b": 8.0, "c/c": 2.0}
    plan.run()
    assert lacking == []


def test_what_to_set_is_left_out_last_and_one_question_is_asked_whatever_it_takes() -> None:
    groups = [replace(question("slow").groups()[0], question=name, part="p") for name in ("b", "settings")]
    cost_s = {"b/p": 1.0, "settings/p": 50.0}
    lacking = least(groups, cost_s, {}, 0.0, 10.0)
    assert lacking is not None and lacking.left_out == ("b",)
    assert least(groups[1:], cost_s, {}, 0.0, 10.0) is None
    assert least(groups, {"b/p": 1.0}, {}, 0.0, 10.0) is None, "a cost that is not known leaves nothing out"


def test_numbers_of_threads_are_a_family_of_their_own() -> None:
    case = question("slow", "quick").groups()[0].cases["quick"]
    threads = msgspec.structs.replace(case, settings={**case.settings, "thread_pool": True})
    control = msgspec.structs.replace(case, variant=CONTROL)
    assert tuple(map(family_of, (case, threads, control))) == ("variants", "threads", CONTROL)


def test_costs_are_kept_by_what_was_asked_and_a_damaged_file_is_none(tmp_path: Path) -> None:
    file = tmp_path / "set-ups.costs"
    asked = asked_in_words("a machine", {"budget": "60s", "quick": "True", "groups": "a/x"})
    assert asked == asked_in_words("a machine", {"budget": "9s", "quick": "True", "groups": "b/y"})
    assert read_costs(file, asked) == {}
    keep_costs(file, asked, {"a/x": 2.0, "b/y": 1.0})
    keep_costs(file, asked, {"a/x": 3.0})
    assert read_costs(file, asked) == {"a/x": 3.0, "b/y": 1.0}
    assert read_costs(file, "another") == {}
    for damaged in (b"{", b"-1", b"-0.1", b"1e308", b"true", b'"x"', b"NaN", b" " * (1 << 20) + b"1"):
        file.write_bytes(damaged if damaged == b"{" else b'{"%s": {"a/x": %s}}' % (asked.encode(), damaged))
        assert read_costs(file, asked) == {}, damaged[-9:]
    file.unlink()
    os.mkfifo(file)  # opened as a file is, it would be waited for
    assert read_costs(file, asked) == {}
    keep_costs(file, asked, {"a/x": 1.0})
    assert read_costs(file, asked) == {"a/x": 1.0}
    keep_costs(file / "below a file", asked, {"a/x": 1.0})  # costs the finished run nothing
    assert read_costs(file / "below a file", asked) == {}


def test_costs_of_another_machine_are_those_of_the_same_questions(tmp_path: Path) -> None:
    file = tmp_path / "reference.costs"
    keep_costs(file, asked_in_words("A processor | 2 | x", {"quick": "True", "data": "mnist"}), {"a/x": 9.0})
    keep_costs(file, asked_in_words("A processor | 2 | x", {"quick": "True"}), {"a/x": 2.0})
    assert costs_elsewhere({"quick": "True", "budget": "9s"}, file) == ("A processor", {"a/x": 2.0})
    assert costs_elsewhere({"quick": "False"}, file) == ("", {})


@pytest.mark.parametrize("quick", [True, False])
def test_the_suite_brings_what_another_machine_needed_for_its_own_runs(quick: bool) -> None:
    """Else a first run would not be told what a small budget leaves out."""
    assert costs_in(REFERENCE)
    machine, cost_s = costs_elsewhere({"quick": str(quick)})
    asked = [q for q in declared_questions() if q.skipped() is None and (not q.by_name or q.name == "drift")]
    groups = [group for question in asked for group in question.groups(Asked(quick=quick))]
    assert machine and {group.name for group in groups} <= set(cost_s)
