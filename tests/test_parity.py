"""Other frameworks do the same work or are refused: the reference in their place, right and wrong."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.questions.workload import CheckedWorkload, NotTheSameWorkError
from bench.worker.answers import checked
from bench.worker.process import Worker
from bench.workloads.peers import problem_file
from bench.workloads.peers.mxnet_step import MXNetStep
from bench.workloads.peers.parity import check_numbers, check_time
from bench.workloads.peers.problem import ALLOWED, FEWER, Check, Problem, departure, rounded, train
from bench.workloads.peers.problem_file import place_of, problem_for, read, write
from bench.workloads.peers.rule import RULES, RuledStep, RuleName, wrong_rules
from mtl_core.config import NetworkConfig, StepConfig
from mtl_core.reference import ReferenceStep
from tests.peers_played import RIGHT, Clock, Timed, peer, problem, step

BOTH: tuple[RuleName, ...] = tuple(RULES)
WRONG = (FEWER, *wrong_rules(RULES["epsilon before"]))


@pytest.mark.parametrize("rule", BOTH)
def test_the_reference_in_float32_is_the_same_work(rule: RuleName) -> None:
    assert 0.0 < check_numbers(step(rule=rule), problem()) < 1.0


@pytest.mark.parametrize("rule", BOTH)
@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_peer_is_refused_with_by_how_much(wrong: str, rule: RuleName) -> None:
    with pytest.raises(NotTheSameWorkError, match=r"are off by [0-9.e-]+.*, [0-9.e+]+ times what is"):
        check_numbers(step(wrong, rule), problem())


@pytest.mark.parametrize("rule", BOTH)
def test_each_bound_is_a_tenth_of_the_smallest_wrong_departure(rule: RuleName) -> None:
    """Each check would refuse every wrong peer by its parameters alone, ten times over."""
    for check in problem().checks[rule]:
        origin = problem().origin(check)
        departures = {}
        for name, wrong in wrong_rules(RULES[rule]).items():
            point = train(problem(), wrong, np.float64, origin, [check.steps])[check.steps]
            departures[name] = departure(origin, check.arrived, point.state.parameters, point.losses)
        smallest = min(each.parameters for each in departures.values())
        if check.nearest == FEWER:
            assert check.allowed.parameters < ALLOWED * smallest
        else:
            assert check.allowed.parameters == pytest.approx(ALLOWED * smallest, rel=1e-6)
            assert departures[check.nearest].parameters == pytest.approx(smallest)


def test_all_numbers_of_steps_are_compared_and_the_first_from_the_first_weights() -> None:
    for checks in problem().checks.values():
        assert {1, 8} <= {check.steps for check in checks}
        assert next(check for check in checks if check.steps == 1).start is None
        for check in checks:
            assert check.start is None or check.start.updates == check.steps - 1


def test_the_rule_of_mxnet_is_that_of_the_reference() -> None:
    mine = RuledStep(problem().parameters, RULES["epsilon before"])
    other = ReferenceStep(NetworkConfig(), StepConfig(), problem().parameters)
    for number in range(3):
        mine(*problem().batch(number))
        other(*problem().batch(number))
    for one, two in zip(mine.parameters, other.parameters, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-6, atol=1e-9)


def test_what_is_no_number_is_refused() -> None:
    broken = step()
    broken.parameters = lambda: [np.full_like(array, np.nan) for array in broken.step.parameters]  # type: ignore[method-assign]
    with pytest.raises(NotTheSameWorkError, match="off by nan"):
        check_numbers(broken, problem())


def test_steps_that_are_waited_for_and_take_their_time_are_let_through() -> None:
    clock = Clock()
    check_time(Timed(clock), clock)


def test_a_peer_that_does_not_wait_is_refused() -> None:
    clock = Clock()
    with pytest.raises(NotTheSameWorkError, match="does not wait for its work"):
        check_time(Timed(clock, waits=False), clock)


def test_mxnet_that_does_not_wait_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real one: its engine still works on the step when it is said to be done."""
    whole = MXNetStep(problem(), "whole_graph")
    check_time(whole)
    monkeypatch.setattr(whole, "wait", lambda: None)
    with pytest.raises(NotTheSameWorkError, match=r"does not wait for its work|does not grow"):
        for _ in range(3):  # each set-up of a run asks anew
            check_time(whole)


def test_a_peer_whose_time_does_not_grow_with_its_steps_is_refused() -> None:
    clock = Clock()
    with pytest.raises(NotTheSameWorkError, match=r"40 steps take 1.* times as long as 10"):
        check_time(Timed(clock, most=10), clock)


def test_a_disturbed_machine_refuses_nobody() -> None:
    clock = Clock()
    disturbed = Timed(clock)
    disturbed.disturbed = [0.1, 0.0, 0.2, 0.0, 0.1, 0.0]  # the short ones of the first three tries
    check_time(disturbed, clock)


def ask(**settings: Any) -> dict[str, Any]:
    return Worker().set_up("tests.peers_played:peer", settings, seed=1)


def test_a_worker_refuses_to_time_other_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.workloads.peers.workload.check_time", lambda step: None)
    assert isinstance(peer(), CheckedWorkload)
    built = ask(wrong=RIGHT)
    assert built["images"] == 8 and built["first_call_ns"] > 0
    refused = ask(wrong="another epsilon")
    assert refused["refused"].startswith("not the same work: after 1 step parameters are off by")
    assert len(refused["refused"]) <= 120, "a cell of a table"
    checked("set_up", json.dumps(refused).encode())


def test_after_the_proof_steps_go_on_from_the_first_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.workloads.peers.workload.check_time", lambda step: None)
    workload = peer()
    workload.check_work()
    for one, other in zip(workload.step.parameters(), problem().parameters, strict=True):
        np.testing.assert_array_equal(one, other)
    workload.run(3)
    facts = workload.facts()
    assert 0 < facts["departure_of_allowed"] < 1
    assert facts["free_steps"] >= 1
    for _ in range(70):
        workload.prepare()
        workload.run(3)
    assert workload.done < 210, "far below the steps after which denormals come"


def arrays(of: Problem) -> list[Any]:
    arrived = [check.arrived for rule in BOTH for check in of.checks[rule]]
    references = [array for point in arrived for array in (*point.state.parameters, point.losses)]
    return [of.images, of.labels, *of.parameters, *references]


def equal(one: Problem, other: Problem) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(arrays(one), arrays(other), strict=True))


def test_the_problem_is_drawn_once_and_read_by_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []

    def play(batch_size: int) -> Problem:
        drawn.append(batch_size)
        return problem()

    monkeypatch.setattr(problem_file, "draw", play)
    first, second = problem_for(8, tmp_path), problem_for(8, tmp_path)
    assert drawn == [8]
    assert equal(first, second) and equal(first, problem())
    assert first.checks["epsilon after"][0].allowed == problem().checks["epsilon after"][0].allowed
    for damage in ("cut off", "a pipe", "a bomb"):
        place = place_of(8, tmp_path)
        if damage == "cut off":
            place.write_bytes(b"PK damaged")
        elif damage == "a pipe":
            place.unlink()
            os.mkfifo(place)
        else:
            monkeypatch.setattr(problem_file, "LARGEST_CHECKS", place.stat().st_size)
            np.savez_compressed(place, checks=np.zeros(2 * place.stat().st_size, np.uint8))
        assert equal(problem_for(8, tmp_path), first), damage
    assert drawn == [8, 8, 8, 8]


def test_a_state_from_which_a_step_is_compared_is_in_the_file(tmp_path: Path) -> None:
    from bench.workloads.peers.problem import _last_step

    point = train(problem(), RULES["epsilon after"], np.float64, problem().start, [3])[3]
    check = _last_step(problem(), RULES["epsilon after"], point)
    checks: dict[RuleName, list[Check]] = {**problem().checks, "epsilon after": [check]}
    kept = Problem(problem().images, problem().labels, problem().parameters, checks)
    write(kept, tmp_path / "problem.npz")
    (again,) = read(tmp_path / "problem.npz", 8).checks["epsilon after"]
    assert again.start is not None and again.start.updates == 3 and again.steps == 4
    for one, other in zip(again.start.means, rounded(point.state).means, strict=True):
        np.testing.assert_array_equal(one, other)
    for wrong in (RIGHT, "another epsilon"):
        peer_step = step(wrong, "epsilon after")
        if wrong == RIGHT:
            check_numbers(peer_step, kept)
        else:
            with pytest.raises(NotTheSameWorkError, match="in step 4"):
                check_numbers(peer_step, kept)
