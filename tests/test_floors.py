"""The architecture as a test: imports go down only, and each outside library stays in its rooms.

To add a module, give it a floor in FLOORS. The tables are the architecture; the rest reads them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("bench", "mtl_core", "reports")

# Lower floors know nothing of higher ones. A package's floor is that of all it contains, unless a
# longer name says otherwise; ``bench`` and its folders lend theirs to nobody.
FLOORS = {
    "mtl_core": 0,
    "bench": 0,
    "bench.comparing": 0,
    "bench.gating": 0,
    "bench.profiling": 0,
    "bench.comparing.compared": 0,
    "bench.effects": 1,
    "bench.endless": 0,
    "bench.records": 0,
    "bench.gating.gate": 0,
    "bench.profiling.profiles": 0,
    "bench.probe": 2,
    "bench.questions": 0,
    "bench.gating.regressions": 0,
    "bench.workload": 0,
    "bench.ceilings": 1,
    "bench.gating.checkouts": 1,
    "bench.gating.environments": 1,
    "bench.harness": 1,
    "bench.machine": 1,
    "bench.profiling.memory": 1,
    "bench.profiling.places": 1,
    "bench.pool": 1,
    "bench.profiling.profiler": 1,
    "bench.schedule": 1,
    "bench.comparing.levels": 1,
    "bench.gating.sides": 1,
    "bench.stats": 1,
    "bench.store": 1,
    "bench.profiling.timeline": 1,
    "bench.worker": 1,
    "bench.workloads": 1,
    "bench.answers": 2,
    "bench.comparing.collection": 2,
    "bench.comparing.compare": 2,
    "bench.counting": 2,
    "bench.comparing.history": 2,
    "bench.runs": 2,
    "bench.comparing.shares": 2,
    "bench.gating.replay": 2,
    "bench.gating.sequential": 2,
    "bench.gating.trial": 2,
    "bench.verdict": 2,
    "bench.whole_run": 2,
    "bench.sentences": 2,
    "bench.words": 2,
    "bench.work": 2,
    "bench.benchmarks": 3,
    "reports": 4,
    "bench.__main__": 5,
    "bench.gating.against_stored": 5,
    "bench.commands": 5,
    "bench.plugin": 5,
    "bench.profiling.profile_session": 5,
    "bench.progress": 5,
    "bench.gating.recorder": 5,
    "bench.gating.regress": 5,
    "bench.session": 5,
    "bench.gating.tolerances": 5,
    "bench.gating.trusting": 5,
}
LENDS_NOTHING = ("bench", "bench.comparing", "bench.gating", "bench.profiling")
# The floor whose modules never import each other, and the exceptions; the package whose modules never do.
APART = 1
INDEPENDENT = "bench.benchmarks"
MAY_USE = {
    "bench.harness": ("bench.pool",),  # rounds are run by workers
    "bench.comparing.levels": ("bench.stats",),  # means and their differences
    "bench.worker": ("bench.workloads",),  # it counts what they do
    "bench.profiling.places": ("bench.stats",),  # shares have an interval
    "bench.effects": ("bench.stats",),  # a weighted mean is a mean
    "bench.schedule": ("bench.effects", "bench.stats"),  # the budget goes to where the interval is widest
    "bench.gating.sides": ("bench.pool",),  # a side is its own workers
}
# Of all that lies below it, a package may import only this.
ONLY = {
    "mtl_core": ("mtl_core",),
    "reports": (
        "reports",
        "bench.comparing.compared",
        "bench.endless",
        "bench.profiling.profiles",
        "bench.records",
        "bench.gating.regressions",
        "bench.verdict",
    ),
}
# What computes with MXNet outside mtl_core: it runs in a worker's process.
IN_A_WORKER = ("bench.worker", "bench.workloads", "bench.ceilings")
# What the rest of bench may import of mtl_core, since it loads no MXNet. The measured thing is not in it.
WITHOUT_MXNET = {
    "mtl_core.command_line",
    "mtl_core.config",
    "mtl_core.cost",
    "mtl_core.errors",
    "mtl_core.files",
    "mtl_core.denormals",
    "mtl_core.gpu_choice",
    "mtl_core.mnist",
    "mtl_core.segments",
}
# Outside libraries and the only modules that may import them.
ROOMS = {
    "mxnet": ("mtl_core._mxnet",),
    "rich": ("reports", "bench.progress", "bench.commands", "mtl_core.progress", "mtl_core.__main__"),
    "plotly": ("reports",),
    "jinja2": ("reports",),
    "scipy": (
        "bench.comparing.levels",
        "bench.comparing.shares",
        "bench.effects",
        "bench.stats",
        "bench.gating.sequential",
        "bench.gating.replay",
    ),
    "fsspec": ("bench.comparing.collection",),
    "ruptures": ("bench.comparing.levels",),
    "typer": ("bench.__main__", "bench.commands", "mtl_core.__main__", "mtl_core.command_line"),
    "PIL": ("mtl_core.picture",),
}


def modules() -> dict[str, Path]:
    """Every module of ours by its dotted name."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


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


def room(name: str) -> str | None:
    """The longest entry of FLOORS that the name falls under."""
    lending = [entry for entry in FLOORS if entry not in LENDS_NOTHING and within(name, entry)]
    return max([*lending, *(entry for entry in FLOORS if entry == name)], key=len, default=None)


def apart(name: str, imported: str) -> bool:
    """Whether two modules of one floor have to do without each other."""
    mine, other = room(name), room(imported)
    if mine == other:
        return mine == INDEPENDENT and not within(imported, name)
    return FLOORS[mine] == FLOORS[other] == APART and not within(imported, *MAY_USE.get(mine, ()))


def floor_trouble(name: str, imported: str) -> str | None:
    """What is wrong with one module of ours importing another."""
    mine, other = room(name), room(imported)
    if mine is None or other is None:
        return f"{imported} has no floor"
    if FLOORS[other] > FLOORS[mine]:
        return f"floor {FLOORS[mine]} knows nothing of floor {FLOORS[other]}: imports go down only"
    for package, allowed in ONLY.items():
        if within(name, package) and not within(imported, *allowed):
            return f"{package} imports of ours only {', '.join(allowed)}"
    if within(imported, "mtl_core") and not within(name, "mtl_core", *IN_A_WORKER):
        return None if within(imported, *WITHOUT_MXNET) else "the measured thing stays in a worker"
    if apart(name, imported):
        return f"modules of floor {FLOORS[mine]} never import each other; MAY_USE has the exceptions"
    return None


def complaints(name: str, source: str) -> list[str]:
    """What is wrong with a module's imports, in words; empty when nothing is."""
    if room(name) is None:
        return [f"{name} has no floor: give it one in FLOORS of tests/test_floors.py"]
    found = []
    for imported in imports(name, source):
        top = imported.partition(".")[0]
        if top in ROOMS and not within(name, *ROOMS[top]):
            found.append(f"{name} imports {imported}: only {', '.join(ROOMS[top])} may")
        # ``from bench import records`` names bench.records; ``from bench.records import Case`` a part of it
        trouble = floor_trouble(name, imported) if top in PACKAGES else None
        if trouble:
            found.append(f"{name} imports {imported}: {trouble}")
    return found


@pytest.mark.parametrize("name", modules())
def test_imports_go_down_only(name: str) -> None:
    assert complaints(name, modules()[name].read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("name", sorted(WITHOUT_MXNET))
def test_what_is_said_to_load_no_mxnet_loads_none(name: str) -> None:
    """Neither by itself nor by what it imports at the top, function bodies included."""
    seen, waiting = set(), [name]
    while waiting:
        module = waiting.pop()
        if module in seen or module not in modules():
            continue
        seen.add(module)
        named = imports(module, modules()[module].read_text(encoding="utf-8"))
        waiting += [part for found in named for part in (found, found.rpartition(".")[0])]
    assert "mtl_core._mxnet" not in seen


@pytest.mark.parametrize(
    ("name", "source", "said"),
    [
        ("bench.stats", "from bench.answers import answer", "imports go down only"),
        ("bench.stats", "from bench import answers", "imports go down only"),
        ("bench.stats", "from .answers import answer", "imports go down only"),
        ("bench.records", "def f():\n    import bench.stats", "imports go down only"),
        ("bench.answers", "from reports import terminal", "imports go down only"),
        ("bench.stats", "from bench.machine import Machine", "never import each other"),
        ("bench.harness", "from bench.store import Journal", "never import each other"),
        ("bench.workloads.steps", "from bench.pool import WorkerPool", "never import each other"),
        (
            "bench.benchmarks.test_a",
            "from bench.benchmarks.test_b import QUESTION",
            "never import each other",
        ),
        ("bench.benchmarks.test_a", "from . import test_b", "never import each other"),
        ("bench.schedule", "from mtl_core.step import TrainingStep", "stays in a worker"),
        ("bench.__main__", "if TYPE_CHECKING:\n    from mtl_core import network", "stays in a worker"),
        ("mtl_core.step", "from bench.records import Case", "imports of ours only mtl_core"),
        ("reports.terminal", "from bench.stats import t_interval", "imports of ours only reports"),
        ("bench.stats", "def f():\n    import mxnet as mx", "only mtl_core._mxnet may"),
        ("mtl_core.step", "import importlib\nimportlib.import_module('mxnet')", "only mtl_core._mxnet may"),
        ("bench.answers", "from rich.table import Table", "only reports, bench.progress"),
        ("bench.plugin", "import plotly.graph_objects", "only reports may"),
        ("bench.unheard_of", "", "give it one in FLOORS"),
        ("bench.gating.unheard_of", "", "give it one in FLOORS"),
        ("bench.stats", "from bench.unheard_of import x", "has no floor"),
        ("bench.gating.regress", "from bench.comparing.unheard_of import x", "has no floor"),
    ],
)
def test_a_violation_is_found(name: str, source: str, said: str) -> None:
    found = complaints(name, source)
    assert len(found) == 1
    assert said in found[0]


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("bench.harness", "from bench.pool import WorkerPool\nfrom bench.records import Case"),
        ("bench.workloads.loading", "from bench.workloads.steps import device_named"),
        ("bench.workloads.steps", "from mtl_core._mxnet import mx"),
        ("bench.benchmarks.test_a", "from bench.words import line\nfrom mtl_core.cost import cost"),
        ("bench.answers", "from bench.verdict import verdicts"),
        ("reports.terminal", "from rich.table import Table\nfrom reports.tables import Table as Ours"),
    ],
)
def test_what_is_allowed_is_let_through(name: str, source: str) -> None:
    assert complaints(name, source) == []


@pytest.mark.parametrize(
    "path", sorted((ROOT / "bench" / "benchmarks").glob("test_*.py")), ids=lambda p: p.stem
)
def test_a_benchmark_is_a_declaration(path: Path) -> None:
    """Fewer than 50 lines: what is computed for a sentence stands in bench/words.py or bench/sentences."""
    assert len(path.read_text(encoding="utf-8").splitlines()) < 50


def test_the_top_level_is_what_it_should_be() -> None:
    folders = {"bench", "docs", "mtl_core", "reports", "tests"}
    files = {"CHANGELOG.md", "LICENSE", "README.md", "noxfile.py", "pyproject.toml"}
    visible = {path.name for path in ROOT.iterdir() if not path.name.startswith((".", "__"))}
    assert visible - {"build", "dist", "bench-results"} == folders | files
