"""The data that a command is given, chosen by name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from mtl_core.data.dataset import Dataset
from mtl_core.errors import UserError

Data = Literal["auto", "mnist", "synthetic"]


def chosen(data: Data, data_dir: Path | None) -> Dataset:
    """The data asked for; ``auto`` falls back to synthetic digits and says so."""
    from mtl_core.data.mnist import load_mnist
    from mtl_core.data.synthetic import load_synthetic

    if data == "synthetic":
        return load_synthetic()
    try:
        with _download_bar() as progress:
            return load_mnist(data_dir, progress=progress)
    except UserError as error:
        if data == "mnist" or data_dir is not None or os.environ.get("MTL_DATA_DIR"):
            raise
        return replace(load_synthetic(), note=f"synthetic digits, since MNIST could not be had: {error}")


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
