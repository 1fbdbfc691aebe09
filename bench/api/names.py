"""Which task is meant: by its name, or by the function that makes it, which workers import by its name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.machine.interpreter import PROJECT
from mtl_core.errors import UserError
from mtl_core.task import Task, shown

Named = str | Callable[..., Any]
INTO_A_MODULE = (
    "workers import a task by the name of its module: begin the cell that declares it with "
    "%%writefile acme_bench.py, imports included, run that cell, and name it 'acme_bench:{name}'"
)


def name_of(task: Named | None) -> str | None:
    """``acme.bench:task``; None for none. Raises UserError for what no worker could import."""
    if isinstance(task, str):
        module, _, name = task.partition(":")
        if module == "__main__":
            raise UserError(f"{task} lives in this notebook or program alone; {_remedy(name)}")
        return task
    if task is None:
        return None
    if isinstance(task, Task):
        raise UserError("a Task was given; give the function that makes one, or its name 'acme.bench:task'")
    module, name = str(getattr(task, "__module__", "") or ""), str(getattr(task, "__qualname__", ""))
    if not callable(task) or not module or not name:
        raise UserError(f"the task is {shown(task)}; expected its name, such as 'acme.bench:task'")
    if module == "__main__" or not name.isidentifier():
        where = "lives in this notebook or program alone" if module == "__main__" else "is no module's own"
        raise UserError(f"{name} {where}; {_remedy(name)}")
    return f"{module}:{name}"


def _remedy(name: str) -> str:
    return INTO_A_MODULE.format(name=name if name.isidentifier() else "task")


@contextmanager
def imported_from(folder: str | os.PathLike[str] | None) -> Iterator[Path]:
    """The user's repository, which workers are told of meanwhile; the current folder without one.

    Raises UserError where there is no such folder.
    """
    try:
        place = place_of(folder, "folder") or Path.cwd()
    except FileNotFoundError:
        raise UserError("the current folder was removed: change to another, or give folder") from None
    if not place.is_dir():
        raise UserError(f"folder is {str(folder)!r}, and there is none; expected the user's repository")
    before = os.environ.get(PROJECT)
    try:
        yield place
    finally:
        if before is None:
            os.environ.pop(PROJECT, None)
        else:
            os.environ[PROJECT] = before


def whole(name: str, given: object, least: int = 1) -> int | None:
    """The number given under this name, None without one. Raises UserError for what is no whole number."""
    if given is None:
        return None
    if not isinstance(given, int) or isinstance(given, bool) or given < least:
        raise UserError(f"{name} is {given!r:.40}; expected a whole number of at least {least}")
    return given


def variables(given: object) -> dict[str, str]:
    """Of an environment. Raises UserError for what no process can be given."""
    if not isinstance(given, Mapping):
        raise UserError(f"environment is a {type(given).__name__}; expected a dict of names and values")
    texts = {str(name): str(value) for name, value in given.items()}
    for name, value in texts.items():
        if not name or "=" in name or "\0" in name + value:
            raise UserError(f"environment has {name!r:.40} = {value!r:.40}, which no process can be given")
    return texts


def place_of(given: object, name: str) -> Path | None:
    """The path that was given under this name, None without one. Raises UserError for what is no path."""
    if given is None:
        return None
    path = os.fspath(given) if isinstance(given, (str, os.PathLike)) else given
    if not isinstance(path, str):
        raise UserError(f"{name} is a {type(given).__name__}; expected a path, as a str or a Path")
    return Path(path)
