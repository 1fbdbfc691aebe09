"""Runs something of ours in any interpreter: ``python .../ours_first.py MODULE:FUNCTION [FILE ...]``.

Nothing is installed there: our packages come from the folder that this file lies in, whatever else has their
names and whatever folder one stands in; all else is the interpreter's own. Single-file modules that are given
are lent to an interpreter that lacks them. Standard library only. A process that ``multiprocessing`` spawns
runs this file again, under another name, and finds our packages too.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

HOME = Path(__file__).absolute().parents[2]
OURS = ("bench", "mtl_core", "reports")


class Ours(MetaPathFinder):
    """Finds our packages where this file lies, before anything else is asked."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        return PathFinder.find_spec(fullname, [str(HOME)]) if fullname in OURS else None


class Lent(MetaPathFinder):
    """Finds modules of one file each, after everything else was asked."""

    def __init__(self, files: list[str]) -> None:
        self.files = {Path(file).stem: file for file in files}

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        file = self.files.get(fullname)
        return None if file is None else importlib.util.spec_from_file_location(fullname, file)


def install(lent: list[str]) -> None:
    """Have our packages found first; the folder of this file is no place to import from."""
    here = str(Path(__file__).absolute().parent)
    sys.path[:] = [path for path in sys.path if path != here]
    sys.meta_path.insert(0, Ours())
    sys.meta_path.append(Lent(lent))


def run(what: str) -> None:
    """Import a module and call a function of it, ``module:function``."""
    module, _, function = what.partition(":")
    getattr(importlib.import_module(module), function)()


def mtl_bench() -> None:
    """Entry point of ``mtl-bench``: ours is run, whatever else has our names on ``$PYTHONPATH``."""
    install([])
    from mtl_core.errors import tell_bugs_apart  # ours, as of the line above

    tell_bugs_apart()
    run("bench.__main__:main")


if __name__ in ("__main__", "__mp_main__"):
    install(sys.argv[2:])
if __name__ == "__main__":
    run(sys.argv[1])
