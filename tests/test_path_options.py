"""Every option that takes a path, of every command: what cannot be is refused in a line, before the work.

The options are those that the applications have, so that a new one is among them.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import bench.__main__
import mtl_core.__main__
from mtl_core.config import TrainConfig
from mtl_core.data.synthetic import draw_digits
from mtl_core.platform.mxnet import mx
from mtl_core.program import checkpoint
from mtl_core.program.command_line import run
from mtl_core.program.training import Training

RUN = Path(__file__).parent / "old_runs" / "schema2.json"
APPS = {"bench": bench.__main__.app, "mtl_core": mtl_core.__main__.app}
COMMANDS = {app: typer.main.get_command(app) for app in APPS.values()}
# What a command takes beside the option that is tried, to come as far as its work.
BESIDE: dict[str, list[str]] = {
    "run": ["hybridize", "--budget", "4s"],
    "report": [str(RUN)],
    "regress": ["--base", "HEAD"],
    "compare": [str(RUN), str(RUN)],
    "history": [],
    "profile": [],
    "work": ["--update"],
    "trust": ["--time", "1s"],
    "export": ["CHECKPOINT", "--onnx", "out.onnx"],
    "machine": [],
    "train": ["--data", "synthetic", "--denormals", "keep"],
    "predict": ["--checkpoint", "CHECKPOINT", "--data", "synthetic"],
}
# Options that are read, with what stands beside them in place of that.
READ: dict[tuple[str, str], list[str]] = {
    ("report", "results"): [],
    ("compare", "paths"): [str(RUN)],
    ("history", "place"): [],
    ("regress", "--baseline"): ["step"],
    ("trust", "--replay"): [],
    ("export", "source"): ["--onnx", "out.onnx"],
    ("train", "--data-dir"): ["--data", "mnist", "--denormals", "keep"],
    ("predict", "--checkpoint"): ["--data", "synthetic"],
    ("predict", "--image"): ["--checkpoint", "CHECKPOINT"],
    ("predict", "--data-dir"): ["--checkpoint", "CHECKPOINT", "--data", "mnist"],
}
# Options that are written, and read with another option beside them.
READ_WITH: dict[tuple[str, str], list[str]] = {
    ("run", "--journal"): ["hybridize", "--resume"],
    ("work", "--golden"): ["--check"],
    ("trust", "--file"): ["--resume", "--time", "1s"],
    ("train", "--checkpoint"): ["--resume", "--data", "synthetic", "--denormals", "keep"],
}
FOLDERS = {("profile", "--output"), ("train", "--data-dir"), ("predict", "--data-dir")}
BOTH = {("report", "results"), ("compare", "paths"), ("history", "place")}  # a folder is as good there
PATHS_AS_TEXT = {("history", "place")}  # a folder or a URL
BAD = ["circle", "circle/x.json", "file/x.json", "long.json", "nul.json", "", "/proc/none/x.json"]
BAD_TO_READ = [*BAD, "missing.json", "missing/x.json", "pipe", "socket", "/dev/zero", "/dev/full"]
BAD_TO_WRITE = [*BAD, "socket", "/dev/full", "/sys/x.json"]
GROWING = {("run", "--journal"), ("trust", "--file")}  # nor into a device or a pipe


def options() -> Iterator[tuple[str, str, str]]:
    """Application, command and the long name of each option or argument that is a path."""
    for application, app in APPS.items():
        commands = COMMANDS[app].commands  # type: ignore[attr-defined]
        for info in app.registered_commands:
            assert info.callback is not None
            name = info.name or info.callback.__name__
            hints = typing.get_type_hints(info.callback)
            for parameter in commands[name].params:
                long = next((o for o in parameter.opts if o.startswith("--")), parameter.name)
                if "Path" in str(hints.get(parameter.name)) or (name, long) in PATHS_AS_TEXT:
                    yield application, name, long


OPTIONS = list(options())


def cases() -> Iterator[tuple[str, str, str, list[str], str]]:
    """Application, command, option, what stands beside it, and the bad place."""
    for application, command, option in OPTIONS:
        key = (command, option)
        for beside in (BESIDE[command],) if key not in READ else ():
            bad = [*BAD_TO_WRITE, *(["pipe", "/dev/null"] if key in GROWING else [])]
            for place in [*bad, "file" if key in FOLDERS else "folder"]:
                yield application, command, option, beside, place
        for beside in (table[key] for table in (READ, READ_WITH) if key in table):
            for place in [*BAD_TO_READ, *([] if key in BOTH else ["file" if key in FOLDERS else "folder"])]:
                yield application, command, option, beside, place


def test_every_command_is_tried() -> None:
    names = {name for _, name, _ in OPTIONS}
    assert names >= {"run", "report", "regress", "compare", "profile", "work", "trust", "export", "train"}
    assert {*READ, *READ_WITH} <= {(command, option) for _, command, option in OPTIONS}


class WorkError(BaseException):
    """The work has begun; nothing catches it."""


def begun(*_: object, **__: object) -> None:
    raise WorkError


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of the tutorial's network."""
    path = tmp_path_factory.mktemp("trained") / "run.npz"
    training = Training(TrainConfig(batch_size=64), draw_digits(64), "fast", 0, mx.cpu())
    training.epoch(lambda images: None)
    checkpoint.save(path, checkpoint.Checkpoint({}, (), (), training.step.snapshot()))
    return path


@pytest.fixture
def tried(
    tmp_path: Path, trained: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Any]:
    """Calls a command with a place in this process; what it ended with, and what it said on either stream."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MTL_DATA_DIR", raising=False)
    really = subprocess.Popen.__init__

    def start(self: Any, command: Any, *how: Any, **more: Any) -> None:
        if command[0] != "git":
            raise WorkError
        really(self, command, *how, **more)

    monkeypatch.setattr(subprocess.Popen, "__init__", start)
    monkeypatch.setattr(typer.main, "get_command", COMMANDS.__getitem__)  # made once
    monkeypatch.setattr("bench.harness.pool.WorkerProcess.__init__", begun)
    monkeypatch.setattr("bench.commands.measuring.measure_under_pytest", begun)
    monkeypatch.setattr("bench.gate.revisions.between", begun)
    monkeypatch.setattr("bench.commands.export.why_missing", lambda *names: "")
    monkeypatch.setattr("mtl_core.program.training.Training.__init__", begun)
    monkeypatch.setattr("mtl_core.program.predict.predict", begun)
    monkeypatch.setattr("mtl_core.data.mnist._download", begun)
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "other").touch()
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket")

        def call(application: str, command: str, option: str, beside: list[str], place: str) -> Any:
            if option in ("--output",) and command == "report":
                monkeypatch.setattr("bench.commands.report.page_of", begun)
            there = place.replace("long.json", "x" * 300 + ".json").replace("nul.json", "nu\0l.json")
            typed = [str(trained) if word == "CHECKPOINT" else word for word in beside]
            given = [option, there] if option.startswith("--") else [there]
            monkeypatch.setattr(sys, "argv", [application, command, *typed, *given])
            before = sorted(tmp_path.rglob("*"))
            try:
                run(APPS[application], application)
            except SystemExit as ended:
                code = ended.code
            except WorkError:
                code = None
            out, err = capfd.readouterr()
            assert sorted(tmp_path.rglob("*")) == before, "something was left behind"
            return code, out, err

        yield call


def shown(place: str) -> str:
    """A part of the place that stands in what is said of it; Typer alone hears of a NUL."""
    return {"long.json": "x" * 100, "nul.json": "nul"}.get(place, place)


@pytest.mark.parametrize(("application", "command", "option", "beside", "place"), list(cases()))
def test_a_place_that_cannot_be_costs_one_line_before_the_work(
    application: str, command: str, option: str, beside: list[str], place: str, tried: Any
) -> None:
    code, out, err = tried(application, command, option, beside, place)
    assert (code, out) == (2, ""), err
    (line,) = err.splitlines()
    assert line.startswith("error: ")
    assert shown(place) in line.replace("nu\\x00l", "nul")


@pytest.mark.parametrize(
    ("application", "command", "option"),
    [(a, c, o) for a, c, o in OPTIONS if (c, o) not in READ and c != "export"],
)
@pytest.mark.parametrize("place", ["new.json", "missing/deep/new.json"])
def test_a_place_that_can_be_made_is_left_until_there_is_something_for_it(
    application: str, command: str, option: str, place: str, tried: Any
) -> None:
    code, _, err = tried(application, command, option, BESIDE[command], place)
    assert code is None, err
