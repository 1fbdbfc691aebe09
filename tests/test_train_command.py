"""Training and prediction as a person runs them: what is printed, kept, refused; Ctrl-C in real processes."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image

from mtl_core.__main__ import app
from mtl_core.data import synthetic
from mtl_core.data.synthetic import draw_digits, load_synthetic
from mtl_core.errors import ExitCode
from mtl_core.platform.mxnet import mx
from mtl_core.program.command_line import run
from tests.full_disk import fill, left_in
from tests.processes import ROOT, in_terminal

PROGRAM = (sys.executable, "-m", "mtl_core")
EPOCH = r"Epoch \[\d\], train accuracies \[[01]\.\d{4}, [01]\.\d{4}\], losses \[\d\.\d{4}, \d\.\d{4}\]\n"
TEST = r"Test accuracies \[[01]\.\d{4}, [01]\.\d{4}\] on (\d+) images\n"
SMALL = ("--data", "synthetic", "--denormals", "keep")


class Done(msgspec.Struct):
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the program in this process, its synthetic digits few."""
    monkeypatch.setattr(synthetic, "load_synthetic", lambda: load_synthetic(700, 130))
    monkeypatch.setenv("COLUMNS", "80")

    def call(*arguments: str | Path) -> Done:
        monkeypatch.setattr(sys, "argv", ["mtl_core", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            run(app, "python -m mtl_core")
        assert isinstance(ended.value.code, int)
        return Done(ended.value.code, *capsys.readouterr())

    return call


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of one epoch on 60,000 synthetic digits, made in a real process."""
    file = tmp_path_factory.mktemp("trained") / "run.npz"
    options = ("--data", "synthetic", "--epochs", "1", "--checkpoint", str(file), "--json", f"{file}.json")
    with in_terminal(*PROGRAM, "train", *options) as ended:
        out, err = ended.communicate(timeout=120)
    assert (ended.returncode, err) == (0, "")  # no progress bar in a pipe
    matched = re.fullmatch(EPOCH + TEST, out)
    assert matched
    assert matched[1] == "10000"
    return file


def test_json_has_all_that_was_printed(trained: Path) -> None:
    told = json.loads(Path(f"{trained}.json").read_text())
    assert told["settings"]["mode"] == "whole_graph"
    assert told["settings"]["denormals"] == "flush"
    assert told["seeds"] == {"mxnet, numpy, random": 42, "synthetic digits": 0}
    assert set(told["versions"]) == {"python", "mxnet", "numpy"}
    assert told["epochs"][0]["images"] == 60_000
    assert told["epochs"][0]["denormal_share"] == 0.0
    assert told["epochs"][0]["duration_s"] > 0
    assert told["test"]["images"] == 10_000


def test_the_tutorials_way_has_the_tutorials_settings(command: Any, tmp_path: Path) -> None:
    options = ("--loader", "tutorial", "--workers", "2", "--epochs", "1", "--data", "synthetic")
    done = command("train", *options, "--json", tmp_path / "run.json")
    assert re.fullmatch(EPOCH + TEST, done.out)
    told = json.loads((tmp_path / "run.json").read_text())
    settings = {name: told["settings"][name] for name in ("mode", "denormals", "workers", "batch_size")}
    assert settings == {"mode": "hybridized", "denormals": "keep", "workers": 2, "batch_size": 128}
    assert (told["epochs"][0]["images"], told["test"]["images"]) == (640, 130)  # rollover; every test image


def test_a_resumed_run_prints_what_an_uninterrupted_one_does(command: Any, tmp_path: Path) -> None:
    half, whole = tmp_path / "half.npz", tmp_path / "whole.npz"
    command("train", *SMALL, "--epochs", "2", "--checkpoint", half)
    uninterrupted = command("train", *SMALL, "--epochs", "4", "--checkpoint", whole)
    resumed = command("train", *SMALL, "--epochs", "4", "--checkpoint", half, "--resume")
    assert uninterrupted.out.splitlines()[2:] == resumed.out.splitlines()
    assert resumed.err == f"going on from {half} after 2 of 4 epochs\n"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (("--alpha", "0.3", "--seed", "7"), "alpha was 0.5, is 0.3; seed was 42, is 7"),
        (("--loader", "tutorial"), "loader was 'fast', is 'tutorial'"),
        (("--epochs", "1"), "has 2 already: ask for 2 or more"),
    ],
)
def test_another_run_is_not_gone_on_with(
    command: Any, tmp_path: Path, changed: tuple[str, ...], said: str
) -> None:
    file = tmp_path / "run.npz"
    command("train", *SMALL, "--epochs", "2", "--checkpoint", file)
    before = file.read_bytes()
    done = command("train", *SMALL, "--checkpoint", file, "--resume", *changed)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert said in done.err
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("trian",), "train"),
        (("train", "--epcohs", "3"), "--epochs"),
        (("train", "--epochs", "many"), "--epochs"),
        (("train", "--alpha", "1.5"), "alpha is 1.5; expected a number from 0 to 1"),
        (("train", "--alpha", "nan"), "alpha is nan"),
        (("train", "--batch-size", "0"), "batch-size is 0"),
        (("train", "--epochs", "0"), "epochs is 0"),
        (("train", "--learning-rate", "-1"), "learning-rate is -1.0"),
        (("train", "--seed", "-1"), "seed is -1"),
        (("train", "--workers", "-1"), "workers is -1"),
        (("train", "--data", "mnits"), "'mnist'"),
        (("train", "--resume"), "--resume needs --checkpoint"),
        (("train", *SMALL, "--device", "tpu"), "device is 'tpu'; expected cpu, gpu"),
        (("train", *SMALL, "--device", "cpu("), "device is 'cpu('"),
        (("train", *SMALL, "--device", "gpu(77)"), "device gpu(77)"),
        (("train", "--denormals", "keep", "--data-dir", "no-such-folder"), "no-such-folder"),
        (("train", *SMALL, "--json", "tests"), "--json tests cannot be written (it is a folder)"),
        (("train", *SMALL, "--checkpoint", "README.md/run.npz"), "--checkpoint README.md/run.npz cannot"),
        (
            ("train", *SMALL, "--checkpoint", "no-such.npz", "--resume"),
            "no-such.npz cannot be read (No such file",
        ),
        (("predict", "--checkpoint", "no-such-file.npz"), "no-such-file.npz cannot be read (No such file"),
        (("predict", "--checkpoint", "README.md"), "README.md is no whole checkpoint"),
        (("predict", "--checkpoint", "x", "--index", "1", "--image", "y"), "give one"),
        (("predict",), "--checkpoint"),
    ],
    ids=" ".join,
)
def test_bad_input_costs_one_line(
    command: Any, arguments: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    done = command(*arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1


def test_a_gpu_that_cannot_compute_costs_one_line(command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU newer than MXNet: it is counted, and the first kernel fails."""

    def fail(*_: Any, **__: Any) -> None:
        raise mx.base.MXNetError("Traceback:\n  [bt] (0) a.so\nCUDA: no kernel image is available")

    monkeypatch.setattr(mx.context, "num_gpus", lambda: 1)
    monkeypatch.setattr(mx.nd, "ones", fail)
    done = command("train", *SMALL, "--device", "gpu")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "no kernel image is available" in done.err


@pytest.mark.parametrize("arguments", [("--help",), ("train", "--help"), ("predict", "--help"), ()])
def test_help_fits_eighty_columns_and_shows_examples(command: Any, arguments: tuple[str, ...]) -> None:
    done = command(*arguments)
    said = done.out + done.err
    assert done.code == (0 if arguments else 2)
    assert "Examples:\n" in said
    assert re.search(r"^ +python -m mtl_core (train|predict)", said, re.MULTILINE)
    assert max(map(len, said.splitlines())) <= 80


def test_a_bug_keeps_its_traceback(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def bug() -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(synthetic, "load_synthetic", bug)
    monkeypatch.setattr(sys, "argv", ["mtl_core", "train", *SMALL])
    with pytest.raises(SystemExit) as ended:
        run(app, "python -m mtl_core")
    assert ended.value.code == ExitCode.BUG
    assert "ZeroDivisionError: a bug" in capfd.readouterr().err


def test_without_mnist_synthetic_digits_are_told(
    command: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("MTL_DATA_DIR", raising=False)
    monkeypatch.setenv("MXNET_HOME", str(tmp_path))
    monkeypatch.setattr("mtl_core.data.mnist.MIRRORS", ())
    done = command("train", "--denormals", "keep", "--epochs", "1", "--json", tmp_path / "run.json")
    assert (done.code, done.err.count("\n")) == (0, 1)
    assert done.err.startswith("synthetic digits, since MNIST could not be had: ")
    told = json.loads((tmp_path / "run.json").read_text())
    assert told["settings"]["data"] == "synthetic"
    assert told["notes"] == [done.err.rstrip("\n")]


def test_an_epoch_is_kept_where_there_is_room_and_goes_on_from_there(command: Any, full: Path) -> None:
    fill(full)
    settings = ("train", *SMALL, "--checkpoint")
    done = command(*settings, full / "run.npz", "--json", full / "run.json", "--epochs", "2")
    assert done.code == ExitCode.BAD_INPUT
    assert done.out.startswith("Epoch [0]")
    (line,) = done.err.splitlines()
    assert line.startswith("error: stopped after 1 epochs: --checkpoint")
    kept = Path(line.partition("go on with --checkpoint ")[2].partition(" --resume")[0])
    assert json.loads(Path(line.rpartition("it is kept as ")[2]).read_text())["epochs"][0]["epoch"] == 0
    assert left_in(full) == []
    done = command(*settings, kept, "--resume", "--epochs", "2")
    assert done.code == 0, done.err
    assert done.out.startswith("Epoch [1]")


def test_a_run_that_diverges_still_writes_json(command: Any, tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    done = command("train", *SMALL, "--epochs", "1", "--learning-rate", "1e38", "--json", file)
    assert done.code == 0
    told = json.loads(file.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert told["epochs"][0]["digits_loss"] is None


def test_a_network_that_diverged_answers_in_one_line(command: Any, tmp_path: Path) -> None:
    file = tmp_path / "run.npz"
    command("train", *SMALL, "--epochs", "1", "--learning-rate", "1e38", "--checkpoint", file)
    done = command("predict", "--checkpoint", file, "--data", "synthetic")
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert "its training diverged" in done.err


def test_without_a_named_device_the_one_of_the_build_is_taken(
    command: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("mtl_core.__main__.default_device", lambda: "cpu(1)")
    file = tmp_path / "run.json"
    assert command("train", *SMALL, "--epochs", "1", "--json", file).code == 0
    assert json.loads(file.read_text())["settings"]["device"] == "cpu(1)"


def group_is_gone(group: int) -> bool:
    """Whether no process of the group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def test_ctrl_c_ends_with_what_was_reached(tmp_path: Path) -> None:
    """The signal goes to the whole group, as a terminal sends it."""
    file, told = tmp_path / "run.npz", tmp_path / "run.json"
    files = ("--checkpoint", str(file), "--json", str(told))
    command = (*PROGRAM, "train", "--data", "synthetic", "--epochs", "500", *files)
    with in_terminal(*command) as running:
        assert running.stdout is not None
        assert running.stdout.readline().startswith("Epoch [0]")
        os.killpg(running.pid, signal.SIGINT)
        _, said = running.communicate(timeout=60)
    assert running.returncode == 130
    assert re.fullmatch(r"stopped after \d+ of 500 epochs; .*run.npz has them, .*\n", said)
    reached = json.loads(told.read_text())
    assert f"after {len(reached['epochs'])} of" in said
    assert reached["test"] is None


WORKERS_STARTED = """
import sys
from mtl_core.data import loaders, synthetic
from mtl_core.__main__ import main
few, iterate = synthetic.load_synthetic, loaders.TutorialLoader.__iter__
synthetic.load_synthetic = lambda: few(3000, 10)
def told(self):
    for count, batch in enumerate(iterate(self)):
        if count == 1:
            print("under way", flush=True)
        yield batch
loaders.TutorialLoader.__iter__ = told
main()
"""


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A temporary folder whose name leaves room for those of sockets, 107 characters."""
    with TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.mark.parametrize(
    ("number", "to", "code"),
    [
        (signal.SIGINT, os.killpg, ExitCode.INTERRUPTED),
        (signal.SIGTERM, os.kill, ExitCode.TERMINATED),
        (signal.SIGTERM, os.killpg, ExitCode.TERMINATED),
        (signal.SIGHUP, os.killpg, ExitCode.HUNG_UP),
    ],
    ids=["ctrl-c", "terminated", "its group terminated", "its group hung up"],
)
def test_what_ends_training_ends_the_loaders_workers(
    short_folder: Path, number: int, to: Callable[[int, int], None], code: ExitCode
) -> None:
    """Nor does anything stay of what they made in the temporary folder."""
    options = ("--data", "synthetic", "--loader", "tutorial", "--workers", "2", "--epochs", "500")
    command = (sys.executable, "-c", WORKERS_STARTED, "train", *options)
    with in_terminal(*command, TMPDIR=str(short_folder)) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "under way\n"
        made = list(short_folder.glob("pymp-*"))
        to(running.pid, number)
        _, said = running.communicate(timeout=60)
        left = not group_is_gone(running.pid)
    assert running.returncode == code
    assert re.fullmatch(r"stopped after \d+ of 500 epochs\n", said)
    assert not left
    assert made
    assert list(short_folder.iterdir()) == []


IN_A_CALL = """
import os, sys
from mtl_core.data import synthetic
from mtl_core.program import training
from mtl_core.__main__ import main
number = int(sys.argv.pop())
few, sums = synthetic.load_synthetic, training.Sums
synthetic.load_synthetic = lambda: few(3000, 10)
class Interrupted(sums):
    def add(self, batch, forward):
        os.kill(os.getpid(), number)
        print("the call is over", flush=True)
        super().add(batch, forward)
training.Sums = Interrupted
main()
"""


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGINT, ExitCode.INTERRUPTED),
        (signal.SIGTERM, ExitCode.TERMINATED),
        (signal.SIGHUP, ExitCode.HUNG_UP),
    ],
)
def test_what_ends_training_waits_for_the_end_of_a_batch(number: int, code: ExitCode) -> None:
    """An exception within one of MXNet's calls would leave half an array, which complains."""
    command = (sys.executable, "-c", IN_A_CALL, "train", "--data", "synthetic")
    with in_terminal(*command, str(int(number))) as running:
        told, said = running.communicate(timeout=60)
    assert (running.returncode, told) == (code, "the call is over\n")
    assert said == "stopped after 0 of 5 epochs\n"


def test_an_image_of_the_test_set_is_answered(command: Any, trained: Path) -> None:
    done = command("predict", "--checkpoint", trained, "--data", "synthetic", "--index", "129")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == f"test image 129 of synthetic, labelled {draw_digits(1, first=829).labels[0]}"
    assert "@" in "".join(lines[1:15])
    assert max(map(len, lines[1:15])) <= 28
    assert re.fullmatch(r"digit \d \(\d+\.\d%\), (odd|even) \(\d+\.\d%\)", lines[15])
    assert [line.split()[0] for line in lines[16:26]] == list("0123456789")
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("index", ["130", "-1"])
def test_an_index_beyond_the_last_is_refused(command: Any, trained: Path, index: str) -> None:
    done = command("predict", "--checkpoint", trained, "--data", "synthetic", f"--index={index}")
    assert (done.code, "expected 0 to 129" in done.err) == (2, True)


def test_a_photograph_is_answered_and_plotted(command: Any, trained: Path, tmp_path: Path) -> None:
    """A dark digit on a light ground, large and off the middle, as a camera has it."""
    split = draw_digits(50)
    digit = next(i for i, label in enumerate(split.labels) if label == 3)
    large = Image.fromarray(255 - split.images[digit]).resize((280, 280))
    sheet = Image.new("RGB", (640, 480), (250, 248, 240))
    sheet.paste(large.convert("RGB"), (300, 60))
    photograph, plot = tmp_path / "three.jpg", tmp_path / "plot.png"
    sheet.save(photograph)
    done = command("predict", "--checkpoint", trained, "--image", photograph, "--save-plot", plot)
    assert (done.code, done.err) == (0, "")
    assert "inverted to light on dark" in done.out
    with Image.open(plot) as written:
        assert (written.format, written.size) == ("PNG", (760, 360))
        assert len(np.unique(np.asarray(written))) > 10
