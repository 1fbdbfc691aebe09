"""A run put together, with workers that are played: interrupted, resumed, counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench.harness import session as under_test
from bench.harness.counting import with_operators
from bench.harness.session import Session
from bench.machine.weather import Counters
from bench.questions.question import Asked
from bench.records.run import Block, Ceilings
from mtl_core.errors import UserError
from mtl_core.program import files
from tests.full_disk import fill
from tests.made_up import MACHINE
from tests.test_harness import SPEED_NS, Played, PlayedPool, question

CEILINGS = Ceilings(
    mxnet_gflop_per_s=1.0,
    numpy_gflop_per_s=1.0,
    memory_gb_per_s=1.0,
    python_loops_per_s=1.0,
    mxnet="1.9.1",
    numpy="1.26",
    features=[],
    libraries=[],
)


class Stopping(PlayedPool):
    """Played workers, the run of which somebody stops after so many blocks."""

    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.blocks = blocks

    def workers_for(self, environment: dict[str, str], count: int) -> list[Played]:
        if self.blocks == 0:
            raise KeyboardInterrupt
        self.blocks -= 1
        return super().workers_for(environment, count)


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Session]]:
    monkeypatch.setattr(under_test, "measure_ceilings", lambda environment: CEILINGS)
    all_made: list[Session] = []

    def made(pool: Any, *, resume: bool = False, seed: int = 0, **more: Any) -> Session:
        found = Session(60.0, seed, more.pop("journal", tmp_path / "run.journal"), resume, **more)
        all_made.append(found)
        found.harness.pool = pool
        found.harness.new_pool = lambda: pool
        return found

    yield made
    for each in all_made:
        each.close_journal()


ASKED = [question("slow", "quick")]


def test_a_run_that_was_stopped_goes_on_without_measuring_again_what_is_done(session: Any) -> None:
    with pytest.raises(KeyboardInterrupt):
        session(Stopping(2)).measure(ASKED)
    resumed = session(PlayedPool(), resume=True).measure(ASKED)
    (blocks,) = resumed.blocks.values()
    assert [block.index for block in blocks] == [0, 1, 2, 3]
    assert [block.invocation for block in blocks] == [0, 0, 1, 1]
    assert resumed.answers[0].question == "q"


def test_a_run_of_another_seed_is_not_resumed(session: Any) -> None:
    with pytest.raises(KeyboardInterrupt):
        session(Stopping(1)).measure(ASKED)
    with pytest.raises(UserError, match="seed was 0, is 1"):
        session(PlayedPool(), resume=True, seed=1).measure(ASKED)


def test_a_run_whose_benchmark_or_data_became_another_is_not_resumed(session: Any) -> None:
    with pytest.raises(KeyboardInterrupt):
        session(Stopping(1)).measure(ASKED)
    (asked,) = ASKED
    other = replace(asked, fixed={**asked.fixed, "data": "mnist"}, plan=replace(asked.plan, rounds=3))
    with pytest.raises(UserError, match=r"data of q/\w+ was unset, is mnist; rounds of q/\w+ was \d+, is 3"):
        session(PlayedPool(), resume=True).measure([other])


def test_a_run_is_not_resumed_after_an_edit_or_with_another_build(
    session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeyboardInterrupt):
        session(Stopping(1)).measure(ASKED)
    told = under_test.code
    monkeypatch.setattr(under_test, "code", lambda folder: {**told(folder), "bench/untracked.py": "1"})
    with pytest.raises(UserError, match=r"changed since: bench/untracked.py;"):
        session(PlayedPool(), resume=True).measure(ASKED)
    monkeypatch.undo()
    monkeypatch.setattr(under_test, "measure_ceilings", lambda environment: CEILINGS)
    monkeypatch.setattr(under_test, "versions", lambda: {"numpy": "0.1", "mxnet": "1.9.1"})
    with pytest.raises(UserError, match=r"numpy was \S+, is 0\.1"):
        session(PlayedPool(), resume=True).measure(ASKED)


def test_the_weather_of_a_resumed_run_is_that_of_all_its_parts(
    session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings = iter([Counters(steal_s=0.0, total_s=0.0, load=0.5, throttled_s=0.0, thermal_events=0)])
    machine = msgspec.structs.replace(MACHINE, load=7.0)
    monkeypatch.setattr(under_test, "collect", lambda: machine)
    later = Counters(steal_s=5.0, total_s=10.0, load=1.0, throttled_s=3.0, thermal_events=2)
    monkeypatch.setattr(under_test, "counters", lambda looks=0: next(readings, later))
    with pytest.raises(KeyboardInterrupt):
        session(Stopping(2)).measure(ASKED)
    weather = session(PlayedPool(), resume=True).measure(ASKED).weather
    assert (weather.load_before, weather.load_after) == (7.0, 1.0)
    assert (weather.throttled_s, weather.thermal_events) == (3.0, 2)
    assert 0.0 < weather.steal_share <= 0.5


def test_what_went_on_meanwhile_is_kept(session: Any) -> None:
    weather = session(PlayedPool()).measure(ASKED).weather
    assert weather is not None
    assert weather.peak_memory_bytes > 1 << 20


def test_operators_are_added_to_the_facts_of_every_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.harness import counting
    from bench.results.work_file import GOLDEN, read_golden

    work = read_golden(GOLDEN).work["step/hybridized"]
    monkeypatch.setattr(counting, "counted", lambda cases: ("1.9.1", dict.fromkeys(cases, work)))
    (group,) = ASKED[0].groups()
    harness = under_test.Harness(0, pool=PlayedPool)  # type: ignore[arg-type]
    blocks: list[Block] = [harness.measure(group), harness.measure(group)]
    counted = with_operators(group, blocks)
    assert {s.facts["operators"] for block in counted for s in block.set_ups.values()} == {
        float(sum(work.operators.values()))
    }
    assert [block.set_ups["quick"].rounds for block in counted] == [b.set_ups["quick"].rounds for b in blocks]


def test_a_run_over_its_budget_and_with_too_many_threads_says_so(
    session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_test.Schedule, "spent_s", lambda schedule: 188.0)
    made = session(PlayedPool())
    made.asked = Asked(environment={"OMP_NUM_THREADS": "100000"})
    found = "\n".join(made.measure(ASKED).warnings)
    assert "took 188 s, not the 60 s asked" in found
    assert "OMP_NUM_THREADS is 100000" in found


def test_a_run_on_a_restless_machine_says_so(session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = PlayedPool()
    calm = pool.workers_for

    def every_second_set_up_is_slow(environment: dict[str, str], count: int) -> list[Played]:
        ns = 2_000_000 if len([act for act, _ in pool.log if act == "set_up"]) % 2 else 1_000_000
        monkeypatch.setitem(SPEED_NS, "slow", ns)
        return calm(environment, count)

    monkeypatch.setattr(pool, "workers_for", every_second_set_up_is_slow)
    found = session(pool).measure(ASKED).warnings
    assert any("the machine was restless" in line for line in found)


def test_a_full_disk_costs_no_block(session: Any, full: Path) -> None:
    """The journal moves to where there is room, and the run goes on from there when it is stopped."""
    said: list[str] = []
    stopped = session(Stopping(3), journal=full / "run.journal", say=said.append)
    original = stopped.harness.measure

    def measure(group: Any) -> Block:
        fill(full)
        return original(group)

    stopped.harness.measure = measure
    with pytest.raises(KeyboardInterrupt):
        stopped.measure(ASKED)
    (line,) = said
    moved = stopped.journal.path
    assert f"it is kept as {moved}; the journal goes on there" in line
    assert "No space left on device" in line
    assert not (full / "run.journal").exists()
    resumed = session(PlayedPool(), resume=True, journal=moved).measure(ASKED)
    (blocks,) = resumed.blocks.values()
    assert [block.index for block in blocks] == [0, 1, 2, 3]


def test_with_room_nowhere_the_run_goes_on_without_a_journal(
    session: Any, full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_with_room", lambda: iter(()))
    said: list[str] = []
    running = session(PlayedPool(), journal=full / "run.journal", say=said.append)
    original = running.harness.measure

    def measure(group: Any) -> Block:
        fill(full)
        return original(group)

    running.harness.measure = measure
    (blocks,) = running.measure(ASKED).blocks.values()
    assert len(blocks) == 4
    (line,) = said
    assert "is lost if the run is interrupted" in line
    assert (full / "run.journal").read_bytes().endswith(b"}\n")


def test_on_a_machine_without_an_earlier_run_the_budget_is_held_against_what_another_needed(
    session: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is said before anything is measured, and decides nothing: this machine may be quicker."""
    said: list[str] = []
    asked = [question("slow", "quick"), replace(question("slow", "quick"), name="r")]
    monkeypatch.setattr(
        under_test, "costs_elsewhere", lambda settings: ("A processor", {"q/p": 1.0, "r/p": 100.0})
    )
    first, again = (
        session(PlayedPool(), costs=tmp_path / "set-ups.costs", say=said.append, journal=tmp_path / name)
        for name in ("first.journal", "again.journal")
    )
    run = first.measure(asked)
    assert said == [
        "a run of these questions needs about 202 s on another machine (A processor), where --budget 60s "
        "leaves out r; none like it has run here yet: the first set-ups tell what does not fit"
    ]
    assert set(run.measured) == {"q/p", "r/p"}
    said.clear()
    again.measure(asked)
    assert said == []
