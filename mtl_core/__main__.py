"""``python -m mtl_core``: train the multi-task network, and ask it about one image."""

from __future__ import annotations

from mtl_core.platform.theirs_last import theirs_last

if __name__ == "__main__":
    theirs_last()

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from mtl_core.errors import UserError, tell_bugs_apart

if __name__ == "__main__":
    tell_bugs_apart()

import typer

from mtl_core.config import Mode, StepConfig, TrainConfig
from mtl_core.data.dataset import Dataset
from mtl_core.platform import denormals, shared_memory
from mtl_core.platform.gpu_choice import default_device
from mtl_core.platform.on_disk import check_file
from mtl_core.platform.shared_memory import SAMPLE_BYTES
from mtl_core.program.choice import Data, chosen
from mtl_core.program.command_line import run
from mtl_core.program.files import NotWrittenError, check_place
from mtl_core.program.predict_command import predict
from mtl_core.program.termination import interrupted_between

if TYPE_CHECKING:
    from mtl_core.program.training import EpochResult, TestResult, Training

app = typer.Typer(
    add_completion=False, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False
)
EPILOG = "Results go to standard output, notes and the progress bar to standard error."


@app.callback()
def commands() -> None:
    """MXNet's multi-task tutorial: one network learns a digit and its parity.

    \b
    Examples:
      python -m mtl_core train --checkpoint run.npz
      python -m mtl_core predict --checkpoint run.npz --index 7
    """


@app.command(epilog=EPILOG)
def train(
    epochs: Annotated[int, typer.Option(help="Passes over the training images.")] = 5,
    batch_size: Annotated[int, typer.Option(help="Images a step, 1 to 60000.")] = 128,
    alpha: Annotated[float, typer.Option(help="Weight of the odd/even loss, 0 to 1.")] = 0.5,
    learning_rate: Annotated[float, typer.Option(help="Adam's, above 0.")] = 0.01,
    seed: Annotated[int, typer.Option(help="Of MXNet, NumPy and random.")] = 42,
    device: Annotated[
        str, typer.Option(help="cpu, gpu, gpu(1) ...; auto: a GPU where MXNet can use one, else cpu.")
    ] = "auto",
    data: Annotated[
        Data, typer.Option(help="auto: MNIST, or synthetic digits where it cannot be had.")
    ] = "auto",
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of MNIST's four .gz files; else $MTL_DATA_DIR.")
    ] = None,
    loader: Annotated[
        Literal["fast", "tutorial"], typer.Option(help="tutorial: Gluon's DataLoader, as the original.")
    ] = "fast",
    workers: Annotated[int, typer.Option(help="Processes of the tutorial's loader, 0 to 64.")] = 5,
    mode: Annotated[
        Mode | None, typer.Option(help="What MXNet compiles [fast: whole_graph, tutorial: hybridized].")
    ] = None,
    denormal_numbers: Annotated[
        Literal["keep", "flush"] | None,
        typer.Option("--denormals", help="Numbers near 0 [fast: flush, tutorial: keep]."),
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="File to write after each epoch, or to go on from.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from --checkpoint.")] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="File for all that is printed, settings and versions.")
    ] = None,
) -> None:
    """Train on 60,000 images and test on 10,000; Ctrl-C keeps what was reached.

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
    for path, option in ((checkpoint, "--checkpoint"), (json_file, "--json")):
        if path is not None:
            check_place(path, option)
    if resume and checkpoint is not None:
        check_file(checkpoint, "--checkpoint is the file to go on from")
    choice = denormal_numbers or ("flush" if fast else "keep")
    notes = [note for note in [denormals.apply(choice)] if note]  # before MXNet starts its threads
    settings = {
        "epochs": epochs,
        "batch_size": batch_size,
        **asdict(step),
        "device": default_device() if device == "auto" else device,
        "loader": loader,
        "workers": 0 if fast else workers,
        "denormals": "keep" if notes else choice,
    }
    files = Files(checkpoint, resume, json_file)
    _train(config, settings, lambda: chosen(data, data_dir), notes, files)


class Files(NamedTuple):
    """The files of a run."""

    checkpoint: Path | None
    resume: bool
    json: Path | None


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
    shared = sys.stdout.isatty()  # only then do lines have to make room for the bar
    with Progress(
        *columns, console=console, disable=not console.is_terminal, transient=True, redirect_stdout=shared
    ) as bar:
        task = bar.add_task("training", total=epochs * images)
        yield lambda done: bar.update(task, completed=done)


def _train(
    config: TrainConfig,
    settings: dict[str, Any],
    load: Callable[[], Dataset],
    notes: list[str],
    files: Files,
) -> None:
    """Train, test, and keep what was reached, also when Ctrl-C ends it."""
    from mtl_core.platform.devices import device
    from mtl_core.program import record
    from mtl_core.program.training import Training, evaluate

    if settings["workers"]:  # before the data are drawn or fetched
        shared_memory.check(config.batch_size, SAMPLE_BYTES, settings["workers"])
    on = device(settings["device"])  # a GPU that cannot compute is told before anything is downloaded
    dataset = load()
    notes = notes + ([dataset.note] if dataset.note else [])
    for note in notes:
        typer.echo(note, err=True)
    settings = {**settings, "data": dataset.name}
    training = Training(config, dataset.train, settings["loader"], settings["workers"], on)
    lost, stopped = list[str](), False  # what to say at the end
    reached: list[EpochResult] = []  # those told, and kept where there is a checkpoint
    test = None
    try:
        with interrupted_between() as check:
            if files.resume:
                reached += _go_on(training, settings, files)
            _run_epochs(training, settings, files.checkpoint, reached, check)
            test = evaluate(training.step, dataset.test)
            typer.echo(_test_line(test))
    except KeyboardInterrupt:
        typer.echo(_stopped_line(config, files, len(reached)), err=True)
        stopped = True
    except UserError as error:
        lost.append(str(error))
    finally:
        training.close()
        if files.json:
            lost += record.written(files.json, settings, reached, test, notes)
    if stopped:
        typer.echo("\n".join(lost), err=True, nl=bool(lost))
        raise KeyboardInterrupt
    if lost:
        raise UserError("; ".join(lost))


def _run_epochs(
    training: Training,
    settings: dict[str, Any],
    file: Path | None,
    reached: list[EpochResult],
    check: Callable[[], None],
) -> None:
    """Train what is missing of the epochs; each is kept, then told. ``check`` may stop between batches."""
    images = len(training.loader) * training.config.batch_size
    with _epoch_bar(training.config.epochs, images) as show:
        while len(training.history) < training.config.epochs:
            before = len(training.history) * images

            def after_a_batch(done: int, before: int = before) -> None:
                check()
                show(before + done)

            result = training.epoch(after_a_batch)
            lost = _lost(training, settings, file) if file else None
            reached.append(result)
            print(_epoch_line(result), flush=True)  # not typer.echo, which would write into the bar
            if lost is not None:
                raise lost


def _lost(training: Training, settings: dict[str, Any], file: Path) -> UserError | None:
    """Keep what was reached; what to raise where it lies elsewhere then, None where all is well."""
    from mtl_core.program import checkpoint

    history, rolled_over = tuple(training.history), tuple(training.loader.rolled_over)
    reached = checkpoint.Checkpoint(settings, history, rolled_over, training.step.snapshot())
    try:
        checkpoint.save(file, reached)
    except NotWrittenError as error:
        go_on = f"; go on with --checkpoint {error.kept} --resume" if error.kept else ""
        return UserError(f"stopped after {len(history)} epochs: {error}{go_on}")
    return None


def _go_on(training: Training, settings: dict[str, Any], files: Files) -> list[EpochResult]:
    """Put the run where the checkpoint's stopped; its epochs. Raises UserError when it is another run's."""
    from mtl_core.program import checkpoint

    assert files.checkpoint is not None
    saved = checkpoint.load(files.checkpoint)
    differing = checkpoint.differing(saved.settings, settings)
    if differing:
        raise UserError(
            f"cannot go on from {files.checkpoint}: {'; '.join(differing)}; give the same settings again"
        )
    done, asked = len(saved.history), training.config.epochs
    if done > asked:
        raise UserError(f"epochs is {asked}; {files.checkpoint} has {done} already: ask for {done} or more")
    checkpoint.check_network(files.checkpoint, saved.snapshot, training.step)
    training.resume(saved.snapshot, saved.history, saved.rolled_over)
    typer.echo(f"going on from {files.checkpoint} after {done} of {asked} epochs", err=True)
    return list(saved.history)


def _epoch_line(result: EpochResult) -> str:
    """An epoch as the tutorial prints it: the digit first, then odd/even."""
    return (
        f"Epoch [{result.epoch}], "
        f"train accuracies [{result.digits_accuracy:.4f}, {result.odd_even_accuracy:.4f}], "
        f"losses [{result.digits_loss:.4f}, {result.odd_even_loss:.4f}]"
    )


def _test_line(test: TestResult) -> str:
    return (
        f"Test accuracies [{test.digits_accuracy:.4f}, {test.odd_even_accuracy:.4f}] on {test.images} images"
    )


def _stopped_line(config: TrainConfig, files: Files, reached: int) -> str:
    kept = f"; {files.checkpoint} has them, go on with --resume" if files.checkpoint and reached else ""
    return f"stopped after {reached} of {config.epochs} epochs{kept}"


app.command(epilog=EPILOG)(predict)


def main() -> None:
    """Entry point of ``python -m mtl_core``."""
    run(app, "python -m mtl_core")


if __name__ == "__main__":
    main()
