"""The architecture as a test: imports go down only, and each outside library stays in its rooms."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("bench", "mtl_core", "reports")

# Lower floors know nothing of higher ones. The longest name that fits decides.
FLOORS = {
    "mtl_core": 0,
    "bench": 0,
    "bench.records": 0,
    "bench.workload": 0,
    "bench.questions": 1,
    "bench.stats": 1,
    "bench.pool": 1,
    "bench.machine": 1,
    "bench.ceilings": 1,
    "bench.store": 1,
    "bench.worker": 1,
    "bench.workloads": 1,
    "bench.harness": 2,
    "bench.schedule": 2,
    "bench.verdict": 2,
    "bench.words": 2,
    "bench.answers": 3,
    "bench.benchmarks": 3,
    "reports": 4,
    "bench.progress": 4,
    "bench.session": 4,
    "bench.plugin": 5,
    "bench.__main__": 6,
}
# Outside libraries and the only modules that may import them.
ROOMS = {
    "mxnet": ("mtl_core._mxnet",),
    "rich": ("reports", "bench.progress", "bench.__main__", "mtl_core.__main__"),
    "scipy": ("bench.stats", "bench.verdict"),
    "typer": ("bench.__main__", "mtl_core.__main__", "mtl_core.command_line"),
    "PIL": ("mtl_core.picture",),
}
# What runs in the coordinator imports of mtl_core only what does not load MXNet.
WITHOUT_MXNET = {
    "mtl_core.command_line",
    "mtl_core.config",
    "mtl_core.cost",
    "mtl_core.denormals",
    "mtl_core.errors",
    "mtl_core.gpu_choice",
}
IN_A_WORKER = ("bench.worker", "bench.workloads", "bench.ceilings")


def modules() -> dict[str, Path]:
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(source: str) -> Iterator[str]:
    """Every name imported anywhere in the source, types for checking only left out."""
    tree = ast.parse(source)
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def fits(name: str, room: str) -> bool:
    return name == room or name.startswith(room + ".")


def floor(name: str) -> int | None:
    rooms = [room for room in FLOORS if fits(name, room) and (room != "bench" or name == "bench")]
    return FLOORS[max(rooms, key=len)] if rooms else None


def complaints(name: str, source: str) -> list[str]:
    """What is wrong with a module's imports, in words; empty when nothing is."""
    own, found = floor(name), []
    if own is None:
        return [f"{name} has no floor: give it one in FLOORS"]
    for imported in imports(source):
        top = imported.partition(".")[0]
        if top in ROOMS and not any(fits(name, room) for room in ROOMS[top]):
            found.append(f"{name} imports {imported}; only {', '.join(ROOMS[top])} may")
        other = floor(imported)
        if top not in PACKAGES or other is None:
            continue
        if other > own:
            found.append(f"{name} (floor {own}) imports {imported} (floor {other}): imports go down only")
        if top == "mtl_core" and not fits(name, "mtl_core"):
            light = any(fits(imported, module) for module in WITHOUT_MXNET)
            if not light and not any(fits(name, room) for room in IN_A_WORKER):
                found.append(f"{name} imports {imported}, which loads MXNet outside a worker")
        if fits(name, "mtl_core") and top != "mtl_core":
            found.append(f"{name} imports {imported}; mtl_core imports nothing of ours")
        if fits(name, "bench.benchmarks.test") and fits(imported, "bench.benchmarks"):
            found.append(f"{name} imports {imported}; benchmarks are independent of each other")
    return found


@pytest.mark.parametrize("name", sorted(modules()))
def test_imports_go_down_only(name: str) -> None:
    assert complaints(name, modules()[name].read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("name", "source", "said"),
    [
        ("bench.stats", "from bench.answers import answer", "imports go down only"),
        ("bench.stats", "def f():\n    import mxnet", "only mtl_core._mxnet may"),
        ("bench.schedule", "from mtl_core.step import TrainingStep", "outside a worker"),
        ("mtl_core.step", "from bench.records import Case", "imports nothing of ours"),
        ("bench.unheard_of", "", "give it one in FLOORS"),
    ],
)
def test_a_violation_is_found(name: str, source: str, said: str) -> None:
    assert any(said in complaint for complaint in complaints(name, source))


def test_the_top_level_is_what_it_should_be() -> None:
    expected = {"bench", "mtl_core", "reports", "tests", "docs", "noxfile.py", "pyproject.toml", "README.md"}
    visible = {path.name for path in ROOT.iterdir() if not path.name.startswith((".", "__"))}
    assert visible - {"build", "dist"} == expected | {"CHANGELOG.md", "LICENSE"}
