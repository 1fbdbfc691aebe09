"""Training and prediction as a person runs them, in real processes on a small synthetic MNIST."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mtl_core._mxnet import mx
from mtl_core.config import StepConfig, TrainConfig
from mtl_core.dataset import Split
from mtl_core.synthetic import draw_digits
from mtl_core.training import EpochResult, LoaderName, Training, evaluate

ROOT = Path(__file__).parent.parent
SPLIT = draw_digits(700)


def run(*arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mtl_core", *arguments]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        timeout=timeout,
        env={**os.environ, "COLUMNS": "80"},
    )


def training(loader: LoaderName = "fast", workers: int = 0, split: Split = SPLIT, seed: int = 42) -> Training:
    config = TrainConfig(epochs=3, batch_size=64, step=StepConfig(seed=seed))
    return Training(config, split, loader, workers, mx.cpu())


def metrics(result: EpochResult) -> tuple[float, ...]:
    return (
        result.digits_accuracy,
        result.odd_even_accuracy,
        result.digits_loss,
        result.odd_even_loss,
        result.images,
    )


def epochs(made: Training, count: int = 3) -> list[tuple[float, ...]]:
    try:
        return [metrics(made.epoch()) for _ in range(count)]
    finally:
        made.close()


@pytest.mark.parametrize(("loader", "workers"), [("fast", 0), ("tutorial", 0), ("tutorial", 5)])
def test_one_seed_gives_the_same_metrics_twice(loader: LoaderName, workers: int) -> None:
    first = epochs(training(loader, workers))
    assert epochs(training(loader, workers)) == first
    assert epochs(training(loader, workers, seed=7)) != first


def test_both_ways_learn_and_count_alike() -> None:
    """3,000 images: the tutorial's rollover leaves 56 of them for the next epoch."""
    split = draw_digits(3000)
    fast, tutorial = epochs(training("fast", split=split)), epochs(training("tutorial", split=split))
    assert (fast[0][4], tutorial[0][4]) == (3000, 2944)
    for way in (fast, tutorial):
        assert way[-1][0] > way[0][0]  # the digits' accuracy
        assert way[-1][3] < way[0][3]  # odd/even's loss


@pytest.mark.parametrize("count", [1, 999, 1001])
def test_every_test_image_is_scored_once(count: int) -> None:
    made = training()
    split = draw_digits(count, seed=5)
    result = evaluate(made.step, split)
    pixels = mx.nd.array(split.images.reshape(count, -1) / np.float32(255))
    expected = (made.step.network(pixels)[0].asnumpy().argmax(axis=1) == split.labels).mean()
    assert result.images == count
    assert result.digits_accuracy == pytest.approx(expected)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of one epoch on synthetic digits."""
    file = tmp_path_factory.mktemp("trained") / "run.npz"
    done = run(
        "train", "--data", "synthetic", "--epochs", "1", "--checkpoint", str(file), "--json", f"{file}.json"
    )
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(
        r"Epoch \[0\], train accuracies \[0\.\d{4}, 0\.\d{4}\], losses \[\d\.\d{4}, \d\.\d{4}\]\n"
        r"Test accuracies \[[01]\.\d{4}, [01]\.\d{4}\] on 10000 images\n",
        done.stdout,
    )
    return file


def test_json_has_all_that_was_printed(trained: Path) -> None:
    told = json.loads(Path(f"{trained}.json").read_text())
    assert told["settings"]["seed"] == 42
    assert told["settings"]["denormals"] == "flush"
    assert set(told["versions"]) == {"python", "mxnet", "numpy"}
    assert told["epochs"][0]["images"] == 60_000
    assert told["test"]["images"] == 10_000


def test_a_resumed_run_ends_where_an_uninterrupted_one_does(trained: Path, tmp_path: Path) -> None:
    resumed = tmp_path / "resumed.npz"
    resumed.write_bytes(trained.read_bytes())
    common = ("train", "--data", "synthetic", "--epochs", "2", "--checkpoint")
    gone_on = run(*common, str(resumed), "--resume")
    whole = run(*common, str(tmp_path / "whole.npz"))
    assert gone_on.returncode == whole.returncode == 0
    assert whole.stdout.splitlines()[1:] == gone_on.stdout.splitlines()


def test_another_run_is_not_gone_on_with(trained: Path) -> None:
    done = run("train", "--data", "synthetic", "--alpha", "0.3", "--checkpoint", str(trained), "--resume")
    assert done.returncode == 2
    assert "alpha was 0.5, is 0.3" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("train", "--epcohs", "3"), "--epochs"),
        (("train", "--alpha", "1.5"), "alpha is 1.5; expected a number from 0 to 1"),
        (("train", "--batch-size", "0"), "batch-size is 0"),
        (("train", "--epochs", "0"), "epochs is 0"),
        (("train", "--learning-rate", "-1"), "learning-rate is -1.0"),
        (("train", "--workers", "-1"), "workers is -1"),
        (("train", "--resume"), "--resume needs --checkpoint"),
        (("train", "--data", "synthetic", "--device", "tpu"), "device is 'tpu'"),
        (("train", "--data", "synthetic", "--device", "gpu(7)"), "MXNet sees 0 GPUs"),
        (("train", "--data-dir", "no-such-folder"), "no-such-folder"),
        (("predict", "--checkpoint", "no-such-file.npz"), "no-such-file.npz is not there"),
        (("predict",), "--checkpoint"),
    ],
)
def test_bad_input_costs_one_line(arguments: tuple[str, ...], said: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def test_a_damaged_checkpoint_costs_one_line(trained: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.npz"
    damaged.write_bytes(trained.read_bytes()[:-100])
    done = run("predict", "--checkpoint", str(damaged), "--data", "synthetic")
    assert done.returncode == 2
    assert "no whole checkpoint" in done.stderr


def test_ctrl_c_ends_with_what_was_reached(tmp_path: Path) -> None:
    file = tmp_path / "run.npz"
    command = [sys.executable, "-m", "mtl_core", "train", "--data", "synthetic", "--epochs", "500"]
    process = subprocess.Popen(
        [*command, "--checkpoint", str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("Epoch [0]")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert re.search(r"stopped after \d+ of 500 epochs; .*run.npz has them", said)
    assert "Traceback" not in said
    assert file.exists()


def test_an_image_of_the_test_set_is_answered(trained: Path) -> None:
    done = run("predict", "--checkpoint", str(trained), "--data", "synthetic", "--index", "9999")
    assert done.returncode == 0, done.stderr
    assert "@" in done.stdout
    assert re.search(r"^digit \d \(\d+\.\d%\), (odd|even) \(\d+\.\d%\)$", done.stdout, re.MULTILINE)


def test_an_index_beyond_the_last_is_refused(trained: Path) -> None:
    done = run("predict", "--checkpoint", str(trained), "--data", "synthetic", "--index", "10000")
    assert (done.returncode, "expected 0 to 9999" in done.stderr) == (2, True)


def test_a_photograph_is_answered_and_plotted(trained: Path, tmp_path: Path) -> None:
    """A dark digit on a light ground, large and off the middle, as a camera has it."""
    digit = next(i for i, label in enumerate(SPLIT.labels) if label == 3)
    large = Image.fromarray(255 - SPLIT.images[digit]).resize((280, 280))
    sheet = Image.new("RGB", (640, 480), (250, 248, 240))
    sheet.paste(large.convert("RGB"), (300, 60))
    photograph, plot = tmp_path / "three.jpg", tmp_path / "plot.png"
    sheet.save(photograph)
    done = run("predict", "--checkpoint", str(trained), "--image", str(photograph), "--save-plot", str(plot))
    assert done.returncode == 0, done.stderr
    assert "inverted to light on dark" in done.stdout
    with Image.open(plot) as written:
        assert written.size == (760, 360)
