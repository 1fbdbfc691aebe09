"""The functions for programs and notebooks: what they take, what they refuse, how records show themselves."""

from __future__ import annotations

import os
import re
import xml.dom.minidom
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.api import ShownRun, compare, compare_runs, names, pair, progress, run, runs
from bench.api.notebook import NOTEBOOK, shown_as
from bench.harness import pool, session
from bench.harness.schedule import Progress
from bench.records.declared import Difference
from mtl_core.errors import NothingMeasuredError, UserError
from mtl_core.task import Task
from reports.formats import text
from reports.pages.run import run_page
from tests import played, reported


@pytest.fixture(autouse=True)
def nothing_is_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(session, "measure_ceilings", None)
    monkeypatch.setattr(pool.WorkerProcess, "answered", None, raising=False)
    for name in played.PLAYED:
        monkeypatch.setattr(pool.WorkerProcess, name, None)
    played.install()
    monkeypatch.setattr(runs, "preflight", lambda *_: [])
    monkeypatch.chdir(tmp_path)


def test_two_tasks_are_compared_in_turns() -> None:
    told = compare("acme.bench:task", "acme.bench:wide", budget="4s", batch_size=16, json="both.json")
    (answer,) = told.answers
    assert answer.asks == "Is acme.bench:wide faster than acme.bench:task?"
    said = re.match(r"acme\.bench:wide takes ([0-9.]+)x \(", answer.sentences[0])
    assert said is not None and float(said[1]) == pytest.approx(1.5, rel=0.01), answer.sentences[0]
    assert answer.sentences[0].endswith("the time of acme.bench:task for a training step: slower.")
    assert "acme.bench:wide has 2,000 parameters where acme.bench:task has 1,000" in answer.sentences[2]
    for block in told.blocks["compare/step"]:  # of every set-up as many rounds, which took turns
        assert len({len(set_up.rounds) for set_up in block.set_ups.values()}) == 1
        assert set(block.set_ups) == {"acme.bench:task", "acme.bench:wide", "control"}
    assert "slower" in str(told) and "<svg" in told._repr_html_()
    with pytest.raises(UserError, match="both sides are acme"):
        compare("acme.bench:task", {"batch_size": 16}, batch_size=16)
    again = compare_runs("both.json", told)
    assert [side.name for side in again.sides] == ["both.json", "both.json"]
    verdicts = {change.ratio_verdict for benchmark in again.benchmarks for change in benchmark.changes}
    assert verdicts - {None} == {"same"}


def test_settings_of_one_task_are_called_what_tells_them_apart(tmp_path: Path) -> None:
    def labels(one: Any, other: Any) -> list[str]:
        return pair._labels(pair._sides([pair._given(one), pair._given(other)], None, tmp_path))

    task = "acme.bench:task"
    assert labels(task, {"mode": "static"}) == ["mode unset", "static"]
    assert labels({"heads": ["box", "kind"], "task": task}, {"heads": ["box"]}) == ["box and kind", "box"]
    assert labels(task, {"heads": ["box"]}) == ["all heads", "box"]
    assert labels(task, {"threads": 2}) == ["OMP_NUM_THREADS unset", "OMP_NUM_THREADS=2"]
    assert labels(task, {"environment": {"A": "/b/c"}}) == ["A unset", "A=:b:c"]
    assert labels(task, {"batch_size": 64}) == ["batches of 32", "batches of 64"]


def test_steps_of_unlike_size_are_compared_by_their_throughput() -> None:
    told = compare("acme.bench:task", {"batch_size": 64}, budget="1s")
    assert told.answers[0].sentences[0].startswith("batches of 64 does 32,")
    assert told.answers[0].sentences[0].endswith("in one of 32: the first is faster.")


def test_a_mode_that_computes_something_else_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(network: str, batch_size: int) -> Any:
        apart = Difference(where="the output of 'box'", share=0.25)
        return replace(made(network, batch_size), differs={"static": apart})

    made = played.declared
    monkeypatch.setattr(played, "declared", wrong)
    told = compare("acme.bench:task", {"mode": "static"}, budget="1s")
    assert any(
        line.startswith("static computes something else: the output") for line in told.answers[0].sentences
    )


@pytest.mark.parametrize(
    ("sides", "said"),
    [
        (("a.b:c", {"modus": "static"}), "no setting is named 'modus'; expected some of task, mode"),
        (("a.b:c", {"mode": "quick"}), "mode is 'quick'; expected one of imperative"),
        (("a.b:c", {"heads": "box"}), "heads are 'box'; expected a list of names"),
        (("a.b:c", {"heads": ["nose"]}), "a.b:c has no head 'nose'; expected some of box, kind"),
        (("a.b:c", {"batch_size": 0}), "batch_size is 0; expected a whole number of at least 1"),
        (("tutorial", {"mode": "static"}), "compare takes a declared task"),
        (("a.b:c", 3), "the task is 3; expected its name, such as 'acme.bench:task'"),
        (("__main__:task", {}), "lives in this notebook or program alone; workers import"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_a_line(sides: tuple[Any, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        compare(*sides)


def test_a_task_is_named_by_its_function_and_refused_where_no_worker_finds_it() -> None:
    def task() -> None:
        """Within another function."""

    assert names.name_of(shown_as) == "bench.api.notebook:shown_as"
    with pytest.raises(UserError, match=r"is no module's own; workers import .* %%writefile acme_bench\.py"):
        names.name_of(task)
    task.__module__ = "__main__"
    task.__qualname__ = "task"
    with pytest.raises(UserError, match=r"task lives in this notebook .* name it 'acme_bench:task'"):
        names.name_of(task)
    made = Task(network=print, losses={"a": print}, batch=print, optimizer="sgd")
    with pytest.raises(UserError, match="a Task was given; give the function that makes one"):
        names.name_of(made)


def test_the_folder_of_the_repository_is_told_to_workers_and_to_nobody_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setenv(names.PROJECT, "before")
    (tmp_path / "theirs").mkdir()
    monkeypatch.setattr(pair, "declared", lambda *_: seen.append(os.environ[names.PROJECT]) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        compare("a.b:c", "a.b:d", folder="theirs")
    assert seen == [str(tmp_path / "theirs")]
    assert os.environ[names.PROJECT] == "before"
    with pytest.raises(UserError, match="folder is 'nowhere', and there is none"):
        run("a.b:c", folder="nowhere")


def test_a_run_of_which_nothing_could_be_measured_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = played.PlayedWorker.answered

    def failing(self: Any, do: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if do == "set_up":
            raise pool.WorkerFailedError("crashed", ["the last line"])
        return answered(self, do, arguments)

    monkeypatch.setattr(pool.WorkerProcess, "answered", failing)
    with pytest.raises(NothingMeasuredError, match=r"nothing could be measured: .*crashed \(the last line\)"):
        run("a.b:c", "heads", budget="1s")


def test_what_is_asked_wrongly_is_refused_as_on_the_command_line() -> None:
    for wrong, said in (
        ({"budget": "90"}, "budget is '90'.*did you mean 90s"),
        ({"batch_size": "8"}, "batch_size is '8'"),
        ({"json": "."}, "json"),
    ):
        with pytest.raises(UserError, match=said):
            run("a.b:c", "heads", **wrong)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="no question of a network is named 'haeds'; did you mean heads"):
        run("a.b:c", "haeds")
    with pytest.raises(UserError, match="device: not measured here"):
        run("a.b:c", "device")
    with pytest.raises(UserError, match="run 2 is a int; expected a run, or a result file"):
        compare_runs(reported.kept(), 3)  # type: ignore[arg-type]


@pytest.mark.parametrize("hostile", [None, *reported.HOSTILE])
def test_a_notebook_gets_harmless_html_that_holds_together(hostile: str | None) -> None:
    told = reported.fewer() if hostile is None else reported.hostile(reported.HOSTILE[hostile])
    shown = text(run_page(told), NOTEBOOK)
    parsed = xml.dom.minidom.parseString(shown)
    assert {node.tagName for node in parsed.getElementsByTagName("*")} <= {
        *("div", "p", "b", "ul", "li", "svg", "title", "rect", "path", "circle", "text")
    }
    written = {name for node in parsed.getElementsByTagName("*") for name, _ in node.attributes.items()}
    assert not any(name.startswith("on") or name in ("href", "src") for name in written)
    assert len(parsed.getElementsByTagName("circle")) > 0


def test_a_record_shows_itself_as_text() -> None:
    shown = shown_as(ShownRun, reported.kept())
    assert shown == shown_as(ShownRun, reported.kept())
    assert str(shown) == repr(shown)
    assert "\n! " in str(shown) and len(str(shown).splitlines()) < 80


class Line:
    """What a notebook's display gives to change it."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def __call__(self, line: dict[str, str], **_: Any) -> Line:
        self.told.append(line["text/plain"])
        return self

    update = __call__


def test_progress_changes_a_line_of_a_notebook_once_a_second() -> None:
    now = iter([0.0, 0.1, 0.2, 2.0])
    line = Line()
    changing = progress.InPlace(line, clock=lambda: next(now))
    for blocks in range(3):
        changing(Progress("heads/step", 2.0 * blocks, 30.0, blocks))
    changing.end()
    assert line.told == [
        "measuring ...",
        "measuring heads/step: 0 set-ups, 0 of 30 s",
        "measuring heads/step: 2 set-ups, 4 of 30 s",
        "measured in some 4 s",
    ]
    assert progress.notebooks_display() is None  # this is no notebook


def test_a_refusal_is_one_line_in_a_notebook() -> None:
    assert UserError("no\nsuch thing")._render_traceback_() == ["error: no such thing"]


@pytest.mark.parametrize("wrong", [90, 1.5, b"90s", ["90s"], True, object()])
def test_a_budget_that_is_no_text_is_refused_in_a_line(wrong: Any) -> None:
    with pytest.raises(UserError, match=r"budget is .*; expected a time as a str, such as '90s'"):
        run("tutorial", budget=wrong)


@pytest.mark.parametrize("wrong", [1, b"a", ["a"], True, object()])
@pytest.mark.parametrize("name", ["json", "folder"])
def test_a_place_that_is_no_path_is_refused_in_a_line(name: str, wrong: Any) -> None:
    with pytest.raises(UserError, match=f"{name} is a {type(wrong).__name__}; expected a path"):
        run("tutorial", budget="1s", **{name: wrong})


@pytest.mark.parametrize("name", ["batch_size", "threads", "seed"])
@pytest.mark.parametrize("wrong", [-1, 2.0, "8", True, float("nan")])
def test_a_number_that_is_no_whole_one_is_refused_in_a_line(name: str, wrong: Any) -> None:
    with pytest.raises(UserError, match=f"{name} is .*; expected a whole number of at least"):
        run("tutorial", "hybridize", budget="1s", **{name: wrong})


@pytest.mark.parametrize("wrong", [{"A": "a\0b"}, {"": "b"}, {"A=B": "c"}, ["A"], 1, None])
def test_an_environment_that_no_process_can_have_is_refused_in_a_line(wrong: Any) -> None:
    with pytest.raises(
        UserError, match=r"environment (is a .*; expected a dict|has .* no process can be given)"
    ):
        names.variables(wrong)


def test_a_second_run_in_another_thread_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both would take each other's standard streams away, and each other's cores."""
    monkeypatch.setattr(runs, "preflight", lambda *_: [])
    with runs.MEASURING, pytest.raises(UserError, match="another run is under way in this process"):
        run("tutorial", "hybridize", budget="1s")


def test_a_current_folder_that_was_removed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(UserError, match="the current folder was removed"):
        run("acme:task", budget="1s")


@pytest.mark.parametrize("wrong", [7, "tpu", "cpu(", None, ["cpu"]])
def test_a_device_that_is_none_is_refused_in_a_line(wrong: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"device is .*; expected cpu, gpu, cpu\(1\)"):
        pair._side({"device": wrong}, "acme.bench:task", None, tmp_path)
