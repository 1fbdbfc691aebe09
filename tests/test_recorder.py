"""The recording behind trust: with played workers, its file, its neighbours, and one real unit."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from bench.__main__ import main
from bench.gate.sides import SIDE
from bench.harness.pool import COMMAND_LIMIT_S, WorkerFailedError, silence_for
from bench.records.declared import Declared
from bench.results.recording_file import Head, Unit, packed, read
from bench.trust import neighbours
from bench.trust import recorder as recorder_module
from bench.trust.neighbours import ALONE, KINDS, beside
from bench.trust.recorder import SLICE_S, PairsPool, Recorder, record, slices
from bench.trust.study import chosen, record_here, study
from bench.trust.variants import BASE, BY_NAME, QUICK, STEP, USUAL, settings_of, subject_of
from mtl_core.errors import UserError
from reports.pages.trust import recorded as recorded_in_words
from tests.recordings import HEAD as MADE_UP_HEAD
from tests.recordings import kept_in, units
from tests.revisions import ROOT, environment

NAMES = ("base", "identical", "operator")
HEAD = Head(machine="m", rounds=STEP.rounds, variants=NAMES)
STEP_NS = 2_000_000
SLOWER = 1.045  # times as long takes the played operator


class Played:
    """A worker whose step takes two milliseconds, or more with the operator."""

    def __init__(self) -> None:
        self.step_ns = STEP_NS

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        if do == "set_up":
            more = arguments["settings"].get("operator")
            self.step_ns = round(STEP_NS * SLOWER) if more else STEP_NS
            return {"images": 128, "set_up_ns": 1, "first_call_ns": 1}
        return {"ns": self.step_ns * arguments["iterations"], "facts": {}} if do == "round" else {}

    def end(self) -> None:
        pass


class PlayedPool(PairsPool):
    def __init__(self, sides: Any, silence_s: float = COMMAND_LIMIT_S) -> None:
        super().__init__(sides, silence_s)
        self.played = {side.name: Played() for side in sides}

    def start_everything(self) -> None:
        self.pair_start_s = 1.5

    def workers_for(self, environment: dict[str, str], count: int) -> Any:
        return [self.played[environment[SIDE]]]


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    monkeypatch.setattr(recorder_module, "PairsPool", PlayedPool)
    return Recorder(Path(), 0, NAMES, "r")


class Clock:
    """A second more at each look."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def recorded(path: Path, recorder: Recorder, before: list[Unit], seconds: float = 5.0) -> list[Unit]:
    record(
        path, HEAD, recorder, seconds, [ALONE], before=before, show=lambda units, spent_s: None, clock=Clock()
    )
    return read(path, HEAD)


def test_a_unit_has_the_raw_rounds_of_every_variant(recorder: Recorder) -> None:
    unit = recorder.unit("busy")
    assert list(unit.us) == list(NAMES)
    assert unit.us["base"] == unit.us["identical"] == [2000.0] * STEP.rounds
    assert unit.us["operator"] == [2090.0] * STEP.rounds
    assert (unit.condition, unit.revision) == ("busy", "r")
    assert unit.iterations >= 10
    assert unit.pair_s >= 1.5
    assert unit.at.endswith("+00:00")


def test_a_recordings_workers_may_be_silent_for_a_part_of_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """As those of a run may; of a recording of a minute 10 s."""

    class Silent:
        silence_s = COMMAND_LIMIT_S

        def send(self, do: str) -> None:
            pass

        def receive(self) -> dict[str, str]:
            return {name: str(ROOT / name / "__init__.py") for name in ("bench", "mtl_core")}

    start: Any = lambda side, environment: Silent()  # noqa: E731
    monkeypatch.setattr("bench.gate.sides.start", start)
    pool = Recorder(ROOT, 0, NAMES, "r", silence_s=silence_for(60.0)).harness.pool
    assert isinstance(pool, PairsPool)
    pool.start_everything()
    assert [worker.silence_s for (worker,) in pool.workers.values()] == [10.0] * len(NAMES)


def test_rounds_keep_five_digits() -> None:
    assert packed([1.23456789e-3, 0.5]) == [1234.6, 500000.0]


def test_a_recording_is_kept_unit_by_unit_and_goes_on(tmp_path: Path, recorder: Recorder) -> None:
    path = tmp_path / "trust.jsonl"
    first = recorded(path, recorder, [])
    assert len(first) >= 1
    again = recorded(path, recorder, first)
    assert again[: len(first)] == first
    assert len(again) > len(first)


def test_several_conditions_take_turns_until_the_time_is_over() -> None:
    assert list(slices(["alone"], 3600.0)) == [("alone", 3600.0)]
    turns = list(slices(["busy", "bursts"], 700.0))
    assert turns == [("busy", SLICE_S), ("bursts", SLICE_S), ("busy", 100.0)]
    assert list(slices(["busy", "bursts"], 20.0)) == [("busy", 10.0), ("bursts", 10.0)]


def test_a_line_cut_off_is_left_out(tmp_path: Path, recorder: Recorder) -> None:
    path = tmp_path / "trust.jsonl"
    made = recorded(path, recorder, [])
    path.write_bytes(path.read_bytes()[:-5])
    assert read(path, HEAD) == made[:-1]


def test_another_machine_does_not_go_on_and_another_revision_does(tmp_path: Path) -> None:
    path = tmp_path / "trust.jsonl"
    kept_in(path, MADE_UP_HEAD, units(2))
    other = msgspec.structs.replace(MADE_UP_HEAD, machine="n", rounds=4)
    with pytest.raises(UserError, match="machine was m, is n; rounds was 40, is 4"):
        read(path, other)
    kept_in(path, MADE_UP_HEAD, [msgspec.structs.replace(units(1)[0], revision="another")])
    assert len(read(path, MADE_UP_HEAD)) == 3


@pytest.mark.parametrize("text", ["", "{}\n", "no json\n", "[1]\n", '{"trust":3}\n'])
def test_what_is_no_recording_costs_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "trust.jsonl"
    path.write_text(text)
    with pytest.raises(UserError, match="is no recording of trust"):
        read(path)


@pytest.mark.parametrize("schema", [1, 2, 4])
def test_a_recording_of_another_version_is_not_replayed(tmp_path: Path, schema: int) -> None:
    path = tmp_path / "trust.jsonl"
    path.write_bytes(msgspec.json.encode({"trust": schema, "busy_cores": 0}) + b"\n")
    with pytest.raises(UserError, match=f"recording of schema {schema}; this version reads 3"):
        read(path)


@pytest.mark.parametrize(
    "change",
    [
        {"pair_s": 0.0},
        {"us": {}},
        {"us": {name: [0.0] * 40 for name in MADE_UP_HEAD.variants}},
        {"us": {name: [1.0] * 39 for name in MADE_UP_HEAD.variants}},
    ],
)
def test_a_damaged_unit_is_named(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "trust.jsonl"
    good = units(1)[0]
    kept_in(path, MADE_UP_HEAD, [good, msgspec.structs.replace(good, **change)])
    with pytest.raises(UserError, match="is damaged: unit 2"):
        read(path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_neighbour_works_and_ends_with_what_it_is_beside(kind: str) -> None:
    with beside(kind, 60.0, seed=0):
        there = [c for c in psutil.Process().children() if "bench.trust.neighbours" in c.cmdline()]
        assert len(there) == 1
    assert not there[0].is_running()


def test_alone_nothing_is_started() -> None:
    before = len(psutil.Process().children())
    with beside(ALONE, 60.0, seed=0):
        assert len(psutil.Process().children()) == before


@pytest.mark.parametrize("kind", KINDS)
def test_a_neighbour_ends_by_itself_when_its_time_is_over(kind: str) -> None:
    command = [sys.executable, "-m", "bench.trust.neighbours", kind, "0", "0.1", str(os.getpid())]
    assert subprocess.run(command, cwd=ROOT, check=False, timeout=60).returncode == 0


def test_bursts_alternate_between_work_and_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    spans: list[str] = []
    monkeypatch.setattr(neighbours, "_while", lambda goes, seconds, act: spans.append(act.__name__))
    neighbours.bursts(lambda: len(spans) < 4, random.Random(0))
    assert spans == ["_compute", "sleep", "_compute", "sleep"]


def test_a_killed_recording_leaves_no_core_busy() -> None:
    script = "import signal\nfrom bench.trust.neighbours import beside\nwith beside('busy', 600.0, 0):\n"
    script += "    print(1, flush=True)\n    signal.pause()"
    killed = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=ROOT)
    assert killed.stdout is not None
    killed.stdout.readline()
    there = psutil.Process(killed.pid).children()
    killed.kill()
    killed.wait()
    killed.stdout.close()
    assert len(there) == 1
    assert psutil.wait_procs(there, timeout=60)[1] == []


def trust(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench", "trust", *arguments]
    variables = {**environment(folder), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, cwd=folder, env=variables, capture_output=True, text=True, check=False, timeout=400
    )


@pytest.mark.whole
def test_a_real_unit_is_recorded_and_measures_nothing(tmp_path: Path) -> None:
    """One unit is no comparison: exit code 6, never a pass."""
    variants = ("--variant", "operator")
    done = trust(tmp_path, "--file", "trust.jsonl", "--time", "0.1s", "--beside", "memory", *variants)
    assert done.returncode == 6, done.stderr
    assert "measured nothing" in done.stderr
    (unit,) = read(tmp_path / "trust.jsonl")
    assert list(unit.us) == ["base", "operator"]
    assert unit.condition == "memory"
    assert all(0 < each < 1e6 for rounds in unit.us.values() for each in rounds)


def test_a_recording_is_replayed_and_one_too_short_is_exit_code_6(tmp_path: Path) -> None:
    kept_in(tmp_path / "long.jsonl", MADE_UP_HEAD, units(30))
    kept_in(tmp_path / "short.jsonl", MADE_UP_HEAD, units(3))
    done = trust(tmp_path, "--replay", "long.jsonl", "--budget", "60s", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert '"comparisons"' not in done.stderr
    assert msgspec.json.decode(done.stdout)["units"] == 30
    short = trust(tmp_path, "--replay", "short.jsonl")
    assert short.returncode == 6, short.stderr
    said = " ".join(short.stdout.split())
    assert "Too short for a single comparison of at most 60 s, 120 s: record longer, by --resume." in said
    assert "0 of 0" not in said


def test_what_a_variant_injects_is_settings_of_its_workload() -> None:
    assert settings_of(BASE) == STEP.settings
    assert settings_of("operator") == {**STEP.settings, "operator": "large"}
    assert settings_of("whole_graph")["mode"] == "whole_graph"
    assert chosen(["operator", "identical"]) == ("base", "identical", "operator")
    assert set(QUICK) < set(USUAL)


def test_a_recording_is_not_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text("an hour of it")
    monkeypatch.setattr(sys, "argv", ["bench", "trust", "--file", str(path), "--time", "1s"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "--resume, or give another --file" in capfd.readouterr().err
    assert path.read_text() == "an hour of it"


def test_a_worker_that_does_not_start_costs_one_line(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise WorkerFailedError("crashed: signal SIGSEGV", ["at last"])

    monkeypatch.setattr(PlayedPool, "start_everything", fail)
    with pytest.raises(UserError, match="no worker could be started: crashed"):
        recorder.unit(ALONE)


def test_a_worker_that_fails_meanwhile_costs_one_line(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise WorkerFailedError("crashed: signal SIGSEGV", ["at last"])

    monkeypatch.setattr(Played, "ask", fail)
    with pytest.raises(UserError, match=r"while recording step/trust/.*: crashed: signal SIGSEGV: at last"):
        recorder.unit(ALONE)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--replay", "t.jsonl"), "cannot be read"),
        (("--resume", "--time", "1s"), "cannot be read"),
        (("--time", "soon"), "--time is 'soon'"),
        (("--budget", "10"), "--budget is '10'"),
        (("--tolerance", "much"), "--tolerance is 'much'"),
        (("--beside", "music", "--time", "1s"), "--beside is 'music'; expected one of alone, busy"),
        (("--variant", "magic", "--time", "1s"), "--variant is 'magic'; expected one of base, identical"),
        (("--format", "poem"), "--format is 'poem'"),
        (("--replay", "t", "--resume"), "--replay records nothing, so that --resume would do nothing"),
        (("--replay", "t", "--seed", "0", "--time", "60m"), "so that --time, --seed would do nothing"),
        (("--replay", "t", "--beside", "busy"), "--beside would do nothing"),
        (("--replay", "t", "--quick"), "--quick would do nothing"),
    ],
)
def test_bad_input_costs_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["bench", "trust", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    error = capfd.readouterr().err
    assert said in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("before", "said"),
    [(2, "keeps 2 invocations, go on with them by --resume"), (0, "nothing is recorded")],
)
def test_ctrl_c_tells_what_is_kept_and_how_to_go_on(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    before: int,
    said: str,
) -> None:
    def interrupted(*_: object, show: Any, **__: object) -> None:
        show(before, 1.0)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("bench.trust.study.record_here", interrupted)
    monkeypatch.setattr(sys, "argv", ["bench", "trust", "--file", str(tmp_path / "t.jsonl")])
    heeded = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(SystemExit) as ended:
            main()
    finally:
        signal.signal(signal.SIGINT, heeded)
    assert ended.value.code == 130
    assert said in " ".join(capfd.readouterr().err.split())


@pytest.mark.parametrize("stops", [KeyboardInterrupt, UserError])
@pytest.mark.parametrize(("there", "measured", "kept"), [(0, 0, False), (0, 1, True), (1, 0, True)])
def test_a_recording_that_stops_leaves_a_file_only_with_something_in_it(
    tmp_path: Path,
    recorder: Recorder,
    monkeypatch: pytest.MonkeyPatch,
    there: int,
    measured: int,
    kept: bool,
    stops: type[BaseException],
) -> None:
    """One with nothing would have to be removed by hand; one that was there is not ours to remove."""
    path = tmp_path / "trust.jsonl"
    if there:
        kept_in(path, HEAD, [])
    made = recorder.unit(ALONE)
    waiting = [made] * measured

    def unit(_condition: str) -> Unit:
        if waiting:
            return waiting.pop()
        raise stops

    monkeypatch.setattr(recorder, "unit", unit)
    with pytest.raises(stops):
        record(path, HEAD, recorder, 60.0, [ALONE], before=[], show=lambda units, spent_s: None)
    assert path.exists() is kept
    assert not kept or read(path, HEAD) == [made] * measured


def test_what_a_recording_was_made_with_need_not_be_told_again_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "PairsPool", PlayedPool)
    monkeypatch.setattr("bench.trust.study.record", lambda path, head, *_, **__: made.append(head))
    made: list[Head] = []
    file = tmp_path / "t.jsonl"
    record_here(file, 1.0, variants=["every_7"])
    kept_in(file, made[0], [])
    record_here(file, 1.0, resume=True)
    assert made[0] == made[1]
    assert made[1].variants == ("base", "every_7")
    with pytest.raises(UserError, match="variants was"):
        record_here(file, 1.0, variants=["every_20"], resume=True)


def test_a_declared_network_is_recorded_beside_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file is told apart from the tutorial's, and is replayed in its words."""
    task = Declared(
        network="acme.net:task",
        heads=["box", "class"],
        batch_size=4,
        takes_heads=True,
        impossible={"whole_graph": "no"},
    )
    subject = subject_of(task)
    assert "whole_graph" not in subject.variants
    assert subject.settings_of("one_head") == {
        "network": "acme.net:task",
        "batch_size": 4,
        "mode": "hybridized",
        "part": "step",
        "heads": ["box"],
    }
    with pytest.raises(UserError, match=r"expected for acme\.net:task, batches of 4 one of base, identical"):
        chosen(["whole_graph"], subject)
    monkeypatch.setattr(recorder_module, "PairsPool", PlayedPool)
    file = tmp_path / "t.jsonl"

    def recorded(path: Path, head: Head, *_: object, **__: object) -> Path:
        kept_in(path, head, units(2))
        return path

    monkeypatch.setattr("bench.trust.study.record", recorded)
    record_here(file, 1.0, variants=["identical", "operator"], subject=subject)
    assert read(file)
    replayed = study([file], [60.0], 0.02, 0)
    assert replayed is not None and replayed.network == "acme.net:task, batches of 4"
    said = {calls.variant: calls.says for calls in replayed.cells[0].calls}
    assert said["operator"] == "every parameter times 1, once more in every step"
    assert "The step is that of acme.net:task, batches of 4." in recorded_in_words(replayed)
    with pytest.raises(UserError, match=r"network was acme\.net:task, batches of 4, is ;"):
        record_here(file, 1.0, resume=True)


@pytest.mark.parametrize(
    ("more", "lacks"),
    [
        ({"takes_heads": False}, {"one_head"}),
        ({"heads": ["box"]}, {"one_head"}),
        ({"heads_impossible": {"box alone": "no"}}, {"one_head"}),
        ({"impossible": {"hybridized": "no", "whole_graph": "no"}}, {"whole_graph", "imperative"}),
    ],
)
def test_what_a_network_cannot_do_is_not_recorded(more: dict[str, Any], lacks: set[str]) -> None:
    given = {"network": "a:b", "heads": ["box", "class"], "batch_size": 4, "takes_heads": True, **more}
    # The smallest operator is that of the tutorial's second layer, which a declared network has none of.
    assert BY_NAME.keys() - subject_of(Declared(**given)).variants.keys() == {"small_operator", *lacks}
