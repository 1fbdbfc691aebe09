"""The Python that a revision runs with: this one where its dependencies are the same, else one of its own.

An environment of its own is made once by uv (pip where uv is not found) and kept in the user's cache
under the hash of what it holds.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from mtl_core.errors import UserError, visible
from mtl_core.platform.cache import cache as kept_in
from mtl_core.platform.gpu_choice import choose
from mtl_core.platform.on_disk import content

if sys.version_info >= (3, 11):
    import tomllib
else:  # what Python took in later
    import tomli as tomllib

PROJECT = "pyproject.toml"
LARGEST_PROJECT = 2**20  # bytes; a large one has some tens of kB
READY = "mtl-bench-ready"  # written into an environment when it is whole
MEASURED = ("mxnet", "numpy", "scipy")  # whose versions matter even where neither checkout declares them
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")  # what a requirement begins with
# Asked of another interpreter: the versions of the distributions named.
VERSIONS = """
import json, sys
from importlib.metadata import PackageNotFoundError, version
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = version(name)
    except PackageNotFoundError:
        pass
print(json.dumps(found))
"""
Run = Callable[[list[str], Path], None]


def project(root: Path) -> dict[str, Any]:
    """What a checkout's pyproject.toml says. Raises UserError when it cannot be read."""
    path = root / PROJECT
    text = content(path, LARGEST_PROJECT, "it is no checkout of this suite")
    try:
        contents: dict[str, Any] = tomllib.loads(text.decode())
    except (ValueError, RecursionError) as error:
        why = "nested too deep" if isinstance(error, RecursionError) else visible(str(error))
        raise UserError(f"{path} cannot be read ({why}): no checkout of this suite") from None
    return contents


def table_of(root: Path, *names: str) -> dict[str, Any]:
    """The table ``[a.b]`` of a checkout's pyproject.toml; empty where there is none.

    Raises UserError where something else has its name.
    """
    table = project(root)
    for depth, name in enumerate(names, 1):
        table = table.get(name, {})
        if not isinstance(table, dict):
            place = ".".join(names[:depth])
            raise UserError(f"{place} of {root / PROJECT} is {table!r:.40}; expected a table: [{place}]")
    return table


def suite_table(root: Path) -> dict[str, Any]:
    """The table ``[tool.mtl-bench]``; empty where there is none, or no pyproject.toml. Raises UserError."""
    there = os.path.lexists(root / PROJECT)
    return table_of(root, "tool", "mtl-bench") if there else {}


def dependencies(root: Path, extra: str) -> dict[str, list[str]]:
    """What a checkout needs to measure, sorted: so that the order of lines makes no difference.

    Raises UserError where that is no list of requirements.
    """
    places = {
        "required": ("project", "dependencies"),
        "mxnet": ("project", "optional-dependencies", extra),
        "overrides": ("tool", "uv", "override-dependencies"),
        "constraints": ("tool", "uv", "constraint-dependencies"),
    }
    return {what: _requirements(root, *place) for what, place in places.items()}


def _requirements(root: Path, *place: str) -> list[str]:
    needed = table_of(root, *place[:-1]).get(place[-1], [])
    if not isinstance(needed, list) or not all(isinstance(each, str) for each in needed):
        where = ".".join(place)
        raise UserError(f"{where} of {root / PROJECT} is {needed!r:.40}; expected a list of requirements")
    return sorted(needed)


def cache() -> Path:
    """Where environments are kept."""
    return kept_in("environments")


def python_for(
    root: Path,
    like: Path,
    say: Callable[[str], None],
    otherwise: str = sys.executable,
    run: Run | None = None,
) -> str:
    """The interpreter for the checkout at ``root``: ``otherwise`` where it needs what ``like`` needs.

    One line says when it is one of its own. Raises UserError when it cannot be made.
    """
    extra = choose().extra
    wanted = dependencies(root, extra)
    if wanted == dependencies(like, extra):
        return otherwise
    identity = json.dumps([wanted, extra, sys.version, sys.executable])
    folder = cache() / hashlib.sha256(identity.encode()).hexdigest()[:16]
    say(f"environment: one of its own for {root.name}, since its dependencies differ ({folder})")
    python = folder / "bin" / "python"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs at once make it once
        if not (folder / READY).exists():
            _make(folder, python, root, wanted, extra, run or _run)
            (folder / READY).touch()
    return str(python)


def installed(python: str, names: Iterable[str]) -> dict[str, str]:
    """The versions of these distributions that an interpreter finds; what it does not find is left out.

    Raises UserError when it does not even answer.
    """
    command = [python, "-c", VERSIONS, *names]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise UserError(f"{python} does not tell what is installed: {last}; remove {cache()} to make it anew")
    versions: dict[str, str] = json.loads(done.stdout)
    return versions


def declared_names(root: Path) -> set[str]:
    """The distributions that a checkout needs to measure, without their versions."""
    needs = dependencies(root, choose().extra)
    matches = (NAME.match(line) for line in (*needs["required"], *needs["mxnet"]))
    return {re.sub("[-_.]+", "-", match[0]).lower() for match in matches if match}


def differing(base: tuple[str, Path], head: tuple[str, Path]) -> list[str]:
    """What is installed in one of two environments and otherwise in the other: ``numpy 1.26.4 -> 2.1.0``.

    Each side is its interpreter and its checkout.
    """
    names = sorted({*MEASURED, *declared_names(base[1]), *declared_names(head[1])})
    before, after = (installed(python, names) for python, _ in (base, head))
    return [
        f"{name} {before.get(name, 'none')} -> {after.get(name, 'none')}"
        for name in names
        if before.get(name) != after.get(name)
    ]


def _make(folder: Path, python: Path, root: Path, wanted: dict[str, list[str]], extra: str, run: Run) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    uv = shutil.which("uv")
    if uv:
        run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)], root)
        install = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python)]
        run([*install, "-r", PROJECT, "--extra", extra], root)  # uv reads the rest there
    else:
        run([sys.executable, "-m", "venv", str(folder)], root)
        constraints = folder / "constraints.txt"
        constraints.write_text("".join(f"{line}\n" for line in wanted["constraints"]), encoding="utf-8")
        install = [str(python), "-m", "pip", "install", "--quiet", "--constraint", str(constraints)]
        run([*install, *wanted["required"], *wanted["mxnet"]], root)


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise UserError(f"no environment could be made for {folder.name}: {Path(command[0]).name}: {last}")
