"""``python -m mtl_core``: train the multi-task network, and ask it about one image."""

from __future__ import annotations

import json
import os
import platform
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mtl_core import denormals
from mtl_core.command_line import run
from mtl_core.config import Mode, StepConfig, TrainConfig
from mtl_core.dataset import Dataset
from mtl_core.errors import UserError

if TYPE_CHECKING:
    from mtl_core.training import EpochResult, TestResult, Training

app = typer.Typer(
    add_completion=False, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False
)
Data = Literal["auto", "mnist", "synthetic"]


@app.callback()
def commands() -> None:
    """MXNet's multi-task tutorial: one network learns a digit and its parity at once."""


@app.command()
def train(
    epochs: Annotated[int, typer.Option(help="Passes over the training images.")] = 5,
    batch_size: Annotated[int, typer.Option(help="Images a step.")] = 128,
    alpha: Annotated[float, typer.Option(help="Weight of the odd/even loss, 0 to 1.")] = 0.5,
    learning_rate: Annotated[float, typer.Option(help="Adam's.")] = 0.01,
    seed: Annotated[int, typer.Option(help="Of MXNet, NumPy and random.")] = 42,
    device: Annotated[str, typer.Option(help="cpu, cpu(1), gpu, gpu(1) ...")] = "cpu",
    data: Annotated[Data, typer.Option(help="auto: MNIST where it can be had.")] = "auto",
    data_dir: Annotated[Path | None, typer.Option(help="Folder of MNIST's four .gz files.")] = None,
    loader: Annotated[Literal["fast", "tutorial"], typer.Option(help="How batches are made.")] = "fast",
    workers: Annotated[int, typer.Option(help="Processes of the tutorial's loader.")] = 5,
    mode: Annotated[Mode | None, typer.Option(help="What is compiled; by the loader without.")] = None,
    denormal_numbers: Annotated[
        Literal["keep", "flush"] | None, typer.Option("--denormals", help="By the loader without.")
    ] = None,
    checkpoint: Annotated[Path | None, typer.Option(help="Written after each epoch.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from --checkpoint.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Everything printed, and more.")] = None,
) -> None:
    """Train on MNIST and test on its 10,000 test images.

    \b
    Examples:
      python -m mtl_core train
      python -m mtl_core train --loader tutorial --workers 2 --epochs 1
      python -m mtl_core train --checkpoint run.npz
      python -m mtl_core train --checkpoint run.npz --resume --epochs 8
    """
    if not 0 <= workers <= 64:
        raise UserError(f"workers is {workers}; expected 0 to 64 processes")
    if resume and checkpoint is None:
        raise UserError("--resume needs --checkpoint FILE, the file to go on from")
    fast = loader == "fast"
    step = StepConfig(
        mode=mode or ("whole_graph" if fast else "hybridized"),
        alpha=alpha,
        learning_rate=learning_rate,
        seed=seed,
    )
    config = TrainConfig(epochs=epochs, batch_size=batch_size, step=step)
    choice = denormal_numbers or ("flush" if fast else "keep")
    note = denormals.apply(choice)  # before MXNet starts its threads
    if note:
        typer.echo(note, err=True)
    settings = {
        "epochs": epochs,
        "batch_size": batch_size,
        **asdict(step),
        "device": device,
        "loader": loader,
        "workers": 0 if fast else workers,
        "denormals": choice if not note else "keep",
    }
    _train(config, settings, _load(data, data_dir), checkpoint, resume, json_file)


def _load(data: Data, data_dir: Path | None) -> Dataset:
    """The data asked for; ``auto`` falls back to synthetic digits and says so."""
    from mtl_core.mnist import load_mnist
    from mtl_core.synthetic import load_synthetic

    if data == "synthetic":
        return load_synthetic()
    try:
        with _download_bar() as progress:
            return load_mnist(data_dir, progress=progress)
    except UserError as error:
        if data == "mnist" or data_dir is not None or os.environ.get("MTL_DATA_DIR"):
            raise
        typer.echo(f"training on synthetic digits, since MNIST could not be had: {error}", err=True)
        return load_synthetic()


@contextmanager
def _download_bar() -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar a file, in a terminal only."""
    from rich.console import Console
    from rich.progress import DownloadColumn, Progress, TextColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), *Progress.get_default_columns()[1:2], DownloadColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        tasks: dict[str, Any] = {}

        def show(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=total or None)
            bar.update(tasks[name], completed=done)

        yield show


@contextmanager
def _epoch_bar(epochs: int, images: int) -> Iterator[Callable[[int], None]]:
    """Images/s and time left over all epochs, in a terminal only."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Speed(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:,.0f} images/s" if task.speed else "")

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), Speed(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("training", total=epochs * images)
        yield lambda done: bar.update(task, completed=done)


def _train(
    config: TrainConfig,
    settings: dict[str, Any],
    dataset: Dataset,
    file: Path | None,
    resume: bool,
    json_file: Path | None,
) -> None:
    """Train, test, and keep what was reached, also when Ctrl-C ends it."""
    from mtl_core.training import Training, evaluate

    settings = {**settings, "data": dataset.name}
    training = Training(
        config, dataset.train, settings["loader"], settings["workers"], _device(settings["device"])
    )
    try:
        if resume and file:
            _go_on(training, settings, file)
        _run_epochs(training, settings, file, len(dataset.train.labels))
        test = evaluate(training.step, dataset.test)
        typer.echo(
            f"Test accuracies [{test.digits_accuracy:.4f}, {test.odd_even_accuracy:.4f}] "
            f"on {test.images} images"
        )
        if json_file:
            _write_json(json_file, settings, training.history, test)
    except KeyboardInterrupt:
        kept = f"; {file} has them, go on with --resume" if file and training.history else ""
        typer.echo(f"stopped after {len(training.history)} of {config.epochs} epochs{kept}", err=True)
        raise
    finally:
        training.close()


def _run_epochs(training: Training, settings: dict[str, Any], file: Path | None, images: int) -> None:
    from mtl_core import checkpoint

    with _epoch_bar(training.config.epochs, images) as show:
        while len(training.history) < training.config.epochs:
            before = len(training.history) * images
            result = training.epoch(lambda done, before=before: show(before + done))  # type: ignore[misc]
            if file:
                history = [asdict(epoch) for epoch in training.history]
                about = {"settings": settings, "history": history, "rolled_over": training.loader.rolled_over}
                checkpoint.save(file, training.step, about)
            typer.echo(_epoch_line(result))


def _epoch_line(result: EpochResult) -> str:
    """An epoch as the tutorial prints it: the digit first, then odd/even."""
    return (
        f"Epoch [{result.epoch}], "
        f"train accuracies [{result.digits_accuracy:.4f}, {result.odd_even_accuracy:.4f}], "
        f"losses [{result.digits_loss:.4f}, {result.odd_even_loss:.4f}]"
    )


def _go_on(training: Training, settings: dict[str, Any], file: Path) -> None:
    from mtl_core import checkpoint
    from mtl_core.training import EpochResult

    about, snapshot = checkpoint.load(file)
    differing = checkpoint.differing(about["settings"], settings)
    if differing:
        raise UserError(f"cannot go on from {file}: {'; '.join(differing)}; give the same settings again")
    training.resume(snapshot, [EpochResult(**epoch) for epoch in about["history"]], about["rolled_over"])
    typer.echo(f"going on after {len(training.history)} epochs of {file}", err=True)


def _device(name: str) -> Any:
    """The MXNet context named; UserError when there is no such device."""
    from mtl_core._mxnet import mx

    kind, _, rest = name.partition("(")
    if kind not in ("cpu", "gpu") or (rest and not (rest.endswith(")") and rest[:-1].isdigit())):
        raise UserError(f"device is {name!r}; expected cpu, gpu, cpu(1), gpu(1) ...")
    index = int(rest[:-1] or 0) if rest else 0
    if kind == "gpu" and index >= mx.context.num_gpus():
        raise UserError(f"device {name}: MXNet sees {mx.context.num_gpus()} GPUs here; use --device cpu")
    return mx.Context(kind, index)


def _write_json(path: Path, settings: dict[str, Any], history: list[EpochResult], test: TestResult) -> None:
    """Everything printed, settings, versions and seeds; whole or not at all."""
    import numpy as np

    from mtl_core._mxnet import mx

    versions = {"python": platform.python_version(), "mxnet": mx.__version__, "numpy": np.__version__}
    content = {
        "schema": 1,
        "settings": settings,
        "versions": versions,
        "platform": platform.platform(),
        "epochs": [asdict(epoch) for epoch in history],
        "test": asdict(test),
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            json.dump(content, file, indent=2)
        Path(file.name).replace(path)
    except OSError as error:
        raise UserError(f"--json {path} cannot be written ({error.strerror}); choose another place") from None


@app.command()
def predict(
    checkpoint: Annotated[Path, typer.Option(help="Written by train --checkpoint.")],
    index: Annotated[int | None, typer.Option(help="Number of a test image, from 0.")] = None,
    image: Annotated[Path | None, typer.Option(help="Any image file of one digit.")] = None,
    data: Annotated[Data, typer.Option(help="Where --index counts.")] = "auto",
    data_dir: Annotated[Path | None, typer.Option(help="Folder of MNIST's four .gz files.")] = None,
    save_plot: Annotated[Path | None, typer.Option(help="A PNG with picture and probabilities.")] = None,
) -> None:
    """Ask a trained network which digit it is, and whether it is odd.

    \b
    Examples:
      python -m mtl_core predict --checkpoint run.npz --index 7
      python -m mtl_core predict --checkpoint run.npz --image seven.jpg
      python -m mtl_core predict --checkpoint run.npz --save-plot seven.png
    """
    from mtl_core import picture
    from mtl_core.predict import load_network
    from mtl_core.predict import predict as ask

    if index is not None and image is not None:
        raise UserError("--index and --image are two images: give one")
    step = load_network(checkpoint)
    if image is not None:
        pixels, did = picture.from_file(image)
        typer.echo(f"{image}: {', '.join(did)}")
    else:
        pixels = _test_image(_load(data, data_dir), index or 0)
    answer = ask(step, pixels)
    typer.echo(picture.as_text(pixels))
    odd = "odd" if answer.odd > 0.5 else "even"
    certain = max(answer.odd, 1 - answer.odd)
    typer.echo(f"digit {answer.digit} ({answer.digits[answer.digit]:.1%}), {odd} ({certain:.1%})")
    typer.echo("  ".join(f"{digit}: {p:.1%}" for digit, p in enumerate(answer.digits)))
    if save_plot:
        picture.save_plot(save_plot, pixels, answer.digits, answer.odd)
        typer.echo(f"plot: {save_plot}")


def _test_image(dataset: Dataset, index: int) -> Any:
    count = len(dataset.test.labels)
    if not 0 <= index < count:
        raise UserError(f"index is {index}; expected 0 to {count - 1}, the test images of {dataset.name}")
    typer.echo(f"test image {index} of {dataset.name}, labelled {dataset.test.labels[index]}")
    return dataset.test.images[index]


def main() -> None:
    """Entry point of ``python -m mtl_core``."""
    run(app, "python -m mtl_core")


if __name__ == "__main__":
    main()
