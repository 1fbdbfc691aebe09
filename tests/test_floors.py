"""The architecture as a test: folders are the floors, and imports go down only.

FLOORS is the architecture; the rest reads it. A new module has the floor of its folder; a new folder gets
a place in FLOORS.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("bench", "mtl_core", "reports")

# From the lowest to the highest. What stands in a row imports what stands in lower rows and itself, and
# nothing beside it. The longest name that a module falls under is its folder.
FLOORS = (
    ("mtl_core.errors",),
    ("mtl_core.platform",),
    ("mtl_core",),
    ("mtl_core.data",),
    ("mtl_core.program",),
    ("bench.records",),
    ("bench.questions", "bench.stats"),
    ("bench.answers", "bench.counters", "bench.gating", "bench.machine", "bench.workloads"),
    ("bench.results", "bench.worker"),
    ("bench.harness",),
    ("bench.benchmarks", "bench.comparison", "bench.gate", "bench.profile"),
    ("bench.trust", "reports.model"),
    ("reports.formats", "reports.pages"),
    ("bench.plugin",),
    ("bench.commands",),
    ("bench.api",),
    ("bench.__main__", "mtl_core.__main__"),
)
# Packages without modules of their own beside their folders.
ABOVE_ALL = ("bench", "reports")
# Of all that lies below it, a folder may import only this.
ONLY = {
    "bench.records": (),
    "reports": ("reports", "bench.records", "bench.stats.verdict"),
}
# The folder whose modules never import each other: each is a declaration.
INDEPENDENT = "bench.benchmarks"
# What starts in the coordinator's process, where MXNet's threads would compete with the workers.
COORDINATOR = ("bench.__main__", "bench.plugin", "bench.api")
MXNET = "mtl_core.platform.mxnet"  # the only module that imports it
# Outside libraries and the only rooms that may import them.
ROOMS = {
    "mxnet": (MXNET,),
    "rich": ("reports.formats.terminal", "bench.commands", "mtl_core.program", "mtl_core.__main__"),
    "plotly": ("reports.formats.html",),
    "jinja2": ("reports.formats.html",),
    "scipy": ("bench.stats",),
    "fsspec": ("bench.results",),
    "ruptures": ("bench.stats",),
    "typer": ("bench.__main__", "bench.commands", "mtl_core.__main__", "mtl_core.program"),
    "onnx": ("bench.workloads.inference",),
    "onnxruntime": ("bench.workloads.inference",),
    "safetensors": ("bench.workloads.inference",),
    "torch": ("bench.workloads.peers",),
    "jax": ("bench.workloads.peers",),
    "optax": ("bench.workloads.peers",),
    "IPython": ("bench.api",),
    "PIL": ("mtl_core.program.picture",),
}


def modules() -> dict[str, Path]:
    """Every module of ours by its dotted name."""
    paths: dict[str, Path] = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            paths[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return paths


def imports(name: str, source: str) -> Iterator[str]:
    """Every name imported anywhere in a module, in functions and by importlib as well."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(name.split(".")[: -node.level]) if node.level else ""
            origin = ".".join(part for part in (base, node.module) if part)
            yield from (f"{origin}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("import_module", "__import__"):
                yield str(node.args[0].value)


def within(name: str, *rooms: str) -> bool:
    return any(name == room or name.startswith(room + ".") for room in rooms)


def folder_of(name: str) -> str | None:
    """The longest entry of FLOORS that the name falls under."""
    return max((entry for row in FLOORS for entry in row if within(name, entry)), key=len, default=None)


def floor_of(folder: str) -> int:
    return next(number for number, row in enumerate(FLOORS) if folder in row)


def trouble_with(name: str, imported: str) -> str | None:
    """What is wrong with one module of ours importing another."""
    if imported in ABOVE_ALL:
        return None
    mine, other = folder_of(name), folder_of(imported)
    if mine is None or other is None:
        return f"{imported} has no floor"
    for folder, allowed in ONLY.items():
        if within(name, folder) and not within(imported, folder, *allowed):
            return f"{folder} imports of ours only {', '.join(allowed) or 'itself'}"
    if mine == other:
        alone = mine == INDEPENDENT and not within(imported, name)
        return f"modules of {mine} never import each other" if alone else None
    if floor_of(mine) < floor_of(other):
        return f"{mine} lies below {other}: imports go down only"
    return f"{mine} and {other} stand beside each other" if floor_of(mine) == floor_of(other) else None


def complaints(name: str, source: str) -> list[str]:
    """What is wrong with a module's imports, in words; empty when nothing is."""
    if name in ABOVE_ALL:
        return []
    if folder_of(name) is None:
        return [f"{name} has no floor: give its folder one in FLOORS of tests/test_floors.py"]
    wrong = []
    for imported in imports(name, source):
        top = imported.partition(".")[0]
        if top in ROOMS and not within(name, *ROOMS[top]):
            wrong.append(f"{name} imports {imported}: only {', '.join(ROOMS[top])} may")
        trouble = trouble_with(name, imported) if top in PACKAGES else None
        if trouble:
            wrong.append(f"{name} imports {imported}: {trouble}")
    return wrong


def module_of(name: str, known: dict[str, Path]) -> str:
    """``bench.records.run.Case`` is a part of ``bench.records.run``."""
    while name and name not in known:
        name = name.rpartition(".")[0]
    return name


def reached(start: str, sources: dict[str, Path]) -> dict[str, str]:
    """Every module of ours that importing one may import, in functions too, and by which it is reached."""
    by: dict[str, str] = {start: ""}
    waiting = [start]
    while waiting:
        name = waiting.pop()
        for imported in imports(name, sources[name].read_text(encoding="utf-8")):
            module = module_of(imported, sources)
            if module and module not in by:
                by[module] = name
                waiting.append(module)
    return by


def way_to(module: str, by: dict[str, str]) -> str:
    """``a imports b imports c``, for the reader of a failure."""
    steps = [module]
    while by[steps[0]]:
        steps.insert(0, by[steps[0]])
    return " imports ".join(steps)


@pytest.mark.parametrize("name", modules())
def test_imports_go_down_only(name: str) -> None:
    assert complaints(name, modules()[name].read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("start", COORDINATOR)
def test_nothing_that_the_coordinator_imports_reaches_mxnet(start: str) -> None:
    by = reached(start, modules())
    assert MXNET not in by, way_to(MXNET, by)


def test_every_benchmark_is_free_of_mxnet_as_well() -> None:
    """They are imported by their names, which no import statement shows."""
    for name in modules():
        if within(name, INDEPENDENT):
            by = reached(name, modules())
            assert MXNET not in by, way_to(MXNET, by)


def test_mxnet_is_reached_by_what_computes_with_it() -> None:
    """The search finds what there is to find."""
    assert MXNET in reached("bench.worker.process", modules())
    assert MXNET in reached("mtl_core.step", modules())


def test_there_is_no_cycle_between_folders() -> None:
    """Subfolders count as folders here; a package's own modules as one."""
    sources = modules()
    below: dict[str, set[str]] = {}
    for name, path in sources.items():
        for imported in imports(name, path.read_text(encoding="utf-8")):
            module = module_of(imported, sources)
            mine, other = (_folder(sources[m]) if m in sources else "" for m in (name, module))
            if other and mine != other and "mtl_core.errors" not in (name, module):
                below.setdefault(mine, set()).add(other)
    while below:
        free = {folder for folder in below if not below[folder] & below.keys()}
        assert free, f"these import each other: {sorted(below)}"
        below = {folder: others for folder, others in below.items() if folder not in free}


def _folder(path: Path) -> str:
    """The folder that a module lies in; what starts a program stands above its package."""
    if path.stem in ("__main__", "plugin"):
        return ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(path.parent.relative_to(ROOT).parts)


@pytest.mark.parametrize(
    ("name", "source", "said"),
    [
        ("bench.stats.estimates", "from bench.answers.answer import answer", "imports go down only"),
        ("bench.stats.estimates", "from bench.answers import answer", "imports go down only"),
        ("bench.stats.estimates", "from ..answers.answer import answer", "imports go down only"),
        ("bench.records.run", "def f():\n    import bench.stats.estimates", "only itself"),
        ("bench.records.run", "from mtl_core.errors import UserError", "only itself"),
        ("bench.answers.answer", "from reports.formats import json", "imports go down only"),
        ("bench.harness.rounds", "from bench.gate.trial import Trial", "imports go down only"),
        ("bench.stats.estimates", "from bench.questions.gate import GATE", "stand beside each other"),
        ("bench.workloads.steps", "from bench.machine.identity import collect", "stand beside each other"),
        ("reports.pages.run", "from reports.formats.json import text", "stand beside each other"),
        ("bench.gate.trial", "from bench.profile.places import Place", "stand beside each other"),
        (
            "bench.benchmarks.test_a",
            "from bench.benchmarks.test_b import QUESTION",
            "never import each other",
        ),
        ("bench.benchmarks.test_a", "from . import test_b", "never import each other"),
        ("mtl_core.step", "from bench.records.run import Case", "imports go down only"),
        ("mtl_core.platform.mxnet", "from mtl_core.step import TrainingStep", "imports go down only"),
        ("reports.pages.run", "from bench.stats.estimates import t_interval", "imports of ours only reports"),
        ("bench.stats.estimates", "def f():\n    import mxnet as mx", "only mtl_core.platform.mxnet may"),
        (
            "mtl_core.step",
            "import importlib\nimportlib.import_module('mxnet')",
            "only mtl_core.platform.mxnet may",
        ),
        ("bench.answers.answer", "from rich.table import Table", "only reports.formats.terminal"),
        ("bench.plugin", "import plotly.graph_objects", "only reports.formats.html may"),
        ("bench.unheard_of", "", "give its folder one in FLOORS"),
        ("bench.unheard_of.module", "", "give its folder one in FLOORS"),
        ("bench.stats.estimates", "from bench.unheard_of import x", "has no floor"),
    ],
)
def test_a_violation_is_found(name: str, source: str, said: str) -> None:
    wrong = complaints(name, source)
    assert len(wrong) == 1
    assert said in wrong[0]


@pytest.mark.parametrize(
    ("name", "source"),
    [
        (
            "bench.harness.rounds",
            "from bench.harness.pool import WorkerPool\nfrom bench.records.run import Case",
        ),
        ("bench.workloads.loading", "from bench.workloads.steps import device_named"),
        ("bench.workloads.steps", "from mtl_core.platform.mxnet import mx"),
        ("bench.benchmarks.test_a", "from bench.answers.words import line\nfrom mtl_core.cost import cost"),
        ("bench.answers.answer", "from bench.stats.verdict import verdicts"),
        (
            "reports.formats.terminal.page",
            "from rich.table import Table\nfrom reports.model.tables import Table as Ours",
        ),
    ],
)
def test_what_is_allowed_is_let_through(name: str, source: str) -> None:
    assert complaints(name, source) == []


def test_a_way_to_mxnet_through_a_function_is_found(tmp_path: Path) -> None:
    sources = {}
    for name, text in {
        "bench.a": "def f():\n    from bench import b\n",
        "bench.b": "from mtl_core.platform.mxnet import mx\n",
        MXNET: "",
    }.items():
        sources[name] = tmp_path / f"{name}.py"
        sources[name].write_text(text, encoding="utf-8")
    by = reached("bench.a", sources)
    assert way_to(MXNET, by) == f"bench.a imports bench.b imports {MXNET}"


@pytest.mark.parametrize(
    "path", sorted((ROOT / "bench" / "benchmarks").glob("test_*.py")), ids=lambda p: p.stem
)
def test_a_benchmark_is_a_declaration(path: Path) -> None:
    """Fewer than 50 lines: what is computed for a sentence stands in bench/answers."""
    assert len(path.read_text(encoding="utf-8").splitlines()) < 50


def test_the_page_on_architecture_names_every_folder_and_nothing_that_is_not_there() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:bench|mtl_core|reports|tests)/[\w/.]*)`", page))
    folders = {entry.replace(".", "/") for row in FLOORS for entry in row}
    places = {f"{folder}/" if (ROOT / folder).is_dir() else f"{folder}.py" for folder in folders}
    assert places - named == set()
    assert {name for name in named if not (ROOT / name).exists()} == set()


def test_the_top_level_is_what_it_should_be() -> None:
    folders = {"bench", "docs", "mtl_core", "reports", "tests"}
    files = {"action.yml", "CHANGELOG.md", "LICENSE", "README.md", "noxfile.py", "pyproject.toml"}
    visible = {path.name for path in ROOT.iterdir() if not path.name.startswith((".", "__"))}
    assert visible - {"build", "dist", "bench-results"} == folders | files


# What a worker finds in an environment of the user's: MXNet and NumPy, setuptools where MXNet needs it for
# distutils, and threadpoolctl, which is lent (bench/machine/identity.py).
IN_A_WORKER = {"mxnet", "numpy", "setuptools", "threadpoolctl"}
WORKERS = ("bench.worker.__main__", "bench.machine.ceilings", "mtl_core.platform.ours_first")
# What the tutorial's export and latency are measured with, which take an extra of ours.
OF_THE_EXTRA = "bench.workloads.inference"


def foreign(start: str, sources: dict[str, Path]) -> dict[str, str]:
    """Outside libraries that a module may import, in functions too, and the module that does."""
    kept = {name: path for name, path in sources.items() if not within(name, OF_THE_EXTRA)}
    by: dict[str, str] = {}
    for name in reached(start, kept):
        for imported in imports(name, kept[name].read_text(encoding="utf-8")):
            top = imported.partition(".")[0]
            if top not in (*PACKAGES, *sys.stdlib_module_names):
                by[top] = name
    return by


IN_WORKERS = [m for m in modules() if within(m, "bench.workloads") and MXNET in reached(m, modules())]


@pytest.mark.parametrize("start", [*WORKERS, *IN_WORKERS])
def test_a_worker_needs_nothing_beside_mxnet_and_numpy(start: str) -> None:
    if not within(start, OF_THE_EXTRA):
        assert {lib: by for lib, by in foreign(start, modules()).items() if lib not in IN_A_WORKER} == {}


def test_a_library_that_a_worker_would_lack_is_found() -> None:
    assert "msgspec" in foreign("bench.harness.pool", modules())
    assert {"mxnet", "numpy"} <= foreign("bench.worker.__main__", modules()).keys()
