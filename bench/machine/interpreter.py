"""The interpreter that workers run in: the coordinator's own, or another one with its own NumPy and MXNet.

``$BENCH_PYTHON`` names it for this process, set by :func:`use`; nothing is installed there. What is missing
or too old there is said before anything is started.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import IO

import msgspec

from mtl_core.errors import UserError, visible
from mtl_core.platform import ours_first

PYTHON = "BENCH_PYTHON"  # the environment variable with the workers' interpreter; the coordinator's without
PROJECT = "BENCH_PROJECT"  # that with the folder of the user's repository, for workers
OLDEST = (3, 10)
NO_DISTUTILS = (3, 12)  # from which on MXNet needs setuptools
LIMIT_S = 60.0
LONGEST_ANSWER = 1 << 20  # bytes
# Asked of an interpreter as old as any, so that one that is too old can say so.
ASKED = """
import sys
told = {"python": "%d.%d.%d" % sys.version_info[:3], "versions": {}, "missing": []}
if sys.version_info >= (3, 10):
    from importlib.metadata import distributions
    from importlib.util import find_spec
    named = [(str(one.metadata["Name"]).lower(), one.version) for one in distributions()]
    told["versions"] = {n: v for n, v in named if n == "numpy" or n.startswith("mxnet")}
    told["missing"] = [n for n in ("mxnet", "numpy", "setuptools") if find_spec(n) is None]
import json
print(json.dumps(told))
"""


class Interpreter(msgspec.Struct, frozen=True, kw_only=True):
    """What an interpreter says of itself."""

    python: str  # its version, such as "3.10.13"
    versions: dict[str, str]  # of NumPy and MXNet, by distribution
    missing: list[str]  # of what MXNet may need


def workers_python() -> str:
    """The path of the interpreter that workers run in."""
    return os.environ.get(PYTHON) or sys.executable


def is_other() -> bool:
    """Whether workers run in another interpreter than this process."""
    return bool(os.environ.get(PYTHON))


def use(python: str | None, option: str = "--python", folder: Path | None = None) -> None:
    """Have the workers of this process run in another interpreter, or with None in this one.

    ``python`` is a path from ``folder`` (the current one without), a name on ``$PATH``, or the folder of an
    environment. Raises UserError for what is no Python that workers can run in.
    """
    os.environ.pop(PYTHON, None)
    if python is None:
        return
    path = _interpreter(python, option, folder or Path.cwd())
    _check(ask(path, option), path, option)
    os.environ[PYTHON] = path


def python_version() -> str:
    """Of the workers' interpreter."""
    return ask(workers_python()).python if is_other() else platform.python_version()


def versions() -> dict[str, str]:
    """The versions of NumPy and MXNet that workers have installed, by distribution; loads neither."""
    if is_other():
        return ask(workers_python()).versions
    installed = ((str(one.metadata["Name"]).lower(), one.version) for one in distributions())
    return {name: version for name, version in installed if name == "numpy" or name.startswith("mxnet")}


def in_words() -> str:
    """The workers' interpreter and libraries: ``Python 3.10.13, mxnet 1.9.1, numpy 1.26.4``."""
    libraries = [f"{name} {version}" for name, version in sorted(versions().items())]
    return ", ".join([f"Python {python_version()}", *libraries])


def command(what: str, *lent: str, python: str | None = None) -> list[str]:
    """The command that runs ``module:function`` of this suite in an interpreter, whatever is installed."""
    return [python or workers_python(), str(Path(ours_first.__file__).absolute()), what, *lent]


def _interpreter(python: str, option: str, folder: Path) -> str:
    """The absolute path; links are kept, since an environment's Python is one."""
    path = folder / Path(python).expanduser()
    if path.is_dir():
        inner = path / "bin" / "python"
        if not inner.exists():
            raise UserError(f"{option} {python} is a folder without bin/python; expected an interpreter")
        path = inner
    if not path.exists():
        named = shutil.which(python) if os.sep not in python else None
        if named is None:
            raise UserError(f"{option} {python}: no such file; expected one such as .venv/bin/python")
        path = Path(named)
    if not os.access(path, os.X_OK):
        raise UserError(f"{option} {python} cannot be run; expected an interpreter such as .venv/bin/python")
    return str(path.absolute())


@cache
def _say_little() -> None:
    """No more than an answer may be long: what is no Python may print for ever."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (LONGEST_ANSWER, LONGEST_ANSWER))


def _lines(file: IO[bytes]) -> list[str]:
    file.seek(0)
    return file.read().decode(errors="replace").strip().splitlines()


def ask(python: str, option: str = "--python") -> Interpreter:
    """What the interpreter at this path says of itself. Raises UserError when it says nothing."""
    try:
        with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as complained:
            subprocess.run(
                [python, "-c", ASKED],
                stdout=said,
                stderr=complained,
                check=False,
                timeout=LIMIT_S,
                cwd="/",  # whose modules stand in no one's way
                preexec_fn=_say_little,
            )
            lines = _lines(said) or _lines(complained) or ["it said nothing"]
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserError(f"{option} {python} cannot be run ({visible(str(error))})") from None
    try:
        return msgspec.convert(json.loads(lines[-1]), Interpreter)
    except (ValueError, RecursionError):  # msgspec's own are the first, too
        raise UserError(f"{option} {python} is no Python: it said {visible(lines[-1])[:80]!r}") from None


def _check(there: Interpreter, path: str, option: str) -> None:
    version = tuple(int(part) for part in there.python.split(".")[:2])
    if version < OLDEST:
        raise UserError(
            f"{option} {path} is Python {there.python}; workers need 3.10 or newer, with NumPy and MXNet"
        )
    needed = {"mxnet": "MXNet", "numpy": "NumPy"}
    if version >= NO_DISTUTILS:
        needed["setuptools"] = "setuptools, whose distutils MXNet imports"
    missing = [words for name, words in needed.items() if name in there.missing]
    if missing:
        raise UserError(
            f"{option} {path} (Python {there.python}) has no {' and no '.join(missing)}; install "
            "it into that environment, or name one that has it"
        )
