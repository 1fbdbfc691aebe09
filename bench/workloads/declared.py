"""A task declared in somebody's own repository: found, imported and built, in a worker only.

Where the repository lies is told by ``$BENCH_PROJECT``. This suite's own packages come before its code,
whatever theirs are called. What goes wrong in their code is told as one line with their file and line.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from mtl_core.errors import UserError
from mtl_core.task import Task, shown

PROJECT = "BENCH_PROJECT"  # the environment variable with the folder of the user's repository
OURS = ("bench", "mtl_core", "reports")
HOME = Path(__file__).parents[2]  # where our packages lie


def project() -> Path:
    """The user's repository."""
    return Path(os.environ.get(PROJECT) or Path.cwd()).resolve()


def make_importable(folder: Path) -> None:
    """Put the repository, and its ``src`` where it has one, before what is installed; ours stay ours."""
    for name in OURS:
        importlib.import_module(name)  # what is imported is no longer looked for
    for path in (folder / "src", folder):
        if path.is_dir() and str(path) not in sys.path:
            sys.path.insert(0, str(path))


def _last_line(error: BaseException) -> str:
    """The last line of its message, which with MXNet is the one that says what is wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].removeprefix(f"{type(error).__name__}: ") if lines else ""


def _asserted(error: BaseException) -> str:
    """The line that raised it, where it says nothing itself, such as a bare ``assert``."""
    frames = traceback.extract_tb(error.__traceback__)
    return (frames[-1].line or "") if frames and isinstance(error, AssertionError) else ""


def _place(error: BaseException, folder: Path) -> str | None:
    """``acme/bench.py:12``: the user's line that it came from."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_short(Path(error.filename), folder)}:{error.lineno}"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        own = any(path.is_relative_to(HOME / package) for package in OURS)
        if path.is_relative_to(folder) and not own and "site-packages" not in path.parts:
            return f"{_short(path, folder)}:{frame.lineno}"
    return None


def _short(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else path.name


def in_words(error: BaseException, folder: Path) -> str:
    """One line: their file and line where it came through one, then what was said."""
    place, said = _place(error, folder), _last_line(error) or _asserted(error)
    if isinstance(error, UserError):
        return f"{said} ({place})" if place else said
    what = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return f"{f'{place}: {what}' if place else what}{_clash(error, folder)}"


@contextmanager
def told_as(what: str) -> Iterator[None]:
    """Whatever their code raises in the block is told in one line, beginning with ``what``."""
    try:
        yield
    except (Exception, SystemExit) as error:
        said = in_words(error, project())
        raise UserError(said if said.startswith(what) else f"{what}: {said}") from error


def _module(name: str, network: str) -> Any:
    folder = project()
    make_importable(folder)
    top = name.partition(".")[0]
    if top in OURS and _theirs(top, folder):
        raise UserError(
            f"{network}: the package {top!r} of {folder} has the name of one of this suite's, which wins; "
            "declare the task in a package with another name"
        )
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise UserError(
                f"{network}: there is no module {error.name!r} in {folder} or installed; "
                "expected module:factory, such as acme.bench:task, seen from the current folder"
            ) from None
        raise


def _theirs(top: str, folder: Path) -> bool:
    """Whether the user's folder holds a package or a module of that name that is not ours."""
    places = [place / name for place in (folder, folder / "src") for name in (top, f"{top}.py")]
    return any(place.exists() and place.resolve() != (HOME / top).resolve() for place in places)


def _clash(error: BaseException, folder: Path) -> str:
    """The remedy where they asked a package of ours for what a package of theirs has; else nothing."""
    asked = error.name if isinstance(error, ImportError) else None
    if isinstance(error, AttributeError) and isinstance(error.obj, ModuleType):
        asked = error.obj.__name__
    top = (asked or "").partition(".")[0]
    if top not in OURS or not _theirs(top, folder):
        return ""
    return (
        f"; the package {top!r} is this suite's own here: rename yours, or keep what the network needs in "
        "another package"
    )


def factory(network: str) -> Callable[..., Any]:
    """What ``module:factory`` names. Raises UserError."""
    module_name, _, name = network.partition(":")
    if not module_name or not name or not all(part.isidentifier() for part in module_name.split(".")):
        raise UserError(f"network is {network!r}; expected module:factory, such as acme.bench:task")
    with told_as(network):
        module = _module(module_name, network)
    made = getattr(module, name, None)
    if made is None:
        raise UserError(f"{network}: {module_name} has no {name!r}; expected a function that returns a Task")
    if isinstance(made, Task):
        raise UserError(
            f"{network} is a Task; expected a function that returns one, so that it is built anew"
        )
    if not callable(made):
        raise UserError(f"{network} is {shown(made)}; expected a function that returns a Task")
    result: Callable[..., Any] = made
    return result


def takes_heads(make: Callable[..., Any]) -> bool:
    """Whether the factory takes ``heads``."""
    try:
        parameters = inspect.signature(make).parameters.values()
    except (TypeError, ValueError):
        return False
    return any(p.name == "heads" or p.kind is p.VAR_KEYWORD for p in parameters)


def build(network: str, heads: Sequence[str] | None = None) -> Task:
    """The task, for these heads only where they are given. Raises UserError."""
    make = factory(network)
    if heads is not None and not takes_heads(make):
        raise UserError(f"{network} takes no heads; write it as def {network.partition(':')[2]}(heads=None)")
    with told_as(network):
        made = make() if heads is None else make(heads=list(heads))
        if not isinstance(made, Task):
            raise UserError(f"returned {shown(made)}; expected a mtl_core.task.Task")
        return made.of(heads)
