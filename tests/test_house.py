"""The house rules that a reader relies on: names that say what is held, modules and functions of a size, and
nothing beside something of nearly the same name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("bench", "mtl_core", "reports")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

LONGEST_MODULE, LONGEST_FUNCTION = 400, 50  # lines
EMPTY_NAMES = {"told", "found", "known"}  # that something is so, and not what it is
ENDINGS = ("ison", "isons", "ions", "ion", "ings", "ing", "ers", "er", "ed", "es", "s", "e")
LEAST_STEM = 4  # letters

Function = ast.FunctionDef | ast.AsyncFunctionDef


def bound_names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every variable, parameter, attribute and function of a module, and its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id, node.lineno
        elif isinstance(node, ast.Attribute):
            yield node.attr, node.lineno
        elif isinstance(node, (ast.arg, ast.keyword)) and node.arg is not None:
            yield node.arg, node.lineno
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name, node.lineno
        elif isinstance(node, ast.alias):
            yield node.asname or node.name, node.lineno
        elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name is not None:
            yield node.name, node.lineno


def empty_names(source: str) -> list[str]:
    """``told in line 3`` for each use of a name that does not say what is held."""
    names = sorted(
        {(line, name) for name, line in bound_names(ast.parse(source)) if name.strip("_") in EMPTY_NAMES}
    )
    return [f"{name} in line {line}" for line, name in names]


def is_command(function: Function) -> bool:
    """Whether its parameters are a command line's: ``typer.Option`` or ``typer.Argument`` in a signature."""
    annotations = [arg.annotation for arg in (*function.args.args, *function.args.kwonlyargs)]
    calls = (node for a in annotations if a is not None for node in ast.walk(a) if isinstance(node, ast.Call))
    return any(ast.unparse(call.func) in ("typer.Option", "typer.Argument") for call in calls)


def counted_lines(function: Function) -> int:
    """Lines of a function; of a command without its signature and its help, which are the command line."""
    body = function.body
    start = function.lineno
    if is_command(function):
        helped = ast.get_docstring(function) is not None and len(body) > 1
        start = (body[0].end_lineno or 0) + 1 if helped else body[0].lineno
    return (function.end_lineno or start) - start + 1


def long_functions(source: str) -> list[str]:
    """``run has 60 lines`` for each function that is too long."""
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, Function)]
    lengths = [(function.name, counted_lines(function)) for function in functions]
    return [f"{name} has {lines} lines" for name, lines in lengths if lines > LONGEST_FUNCTION]


def stem(word: str) -> str:
    """A word without its ending: the same for compare, compared, comparing and comparison."""
    endings = [e for e in ENDINGS if word.endswith(e) and len(word) - len(e) >= LEAST_STEM]
    return word.removesuffix(max(endings, key=len, default=""))


def stems(name: str) -> list[str]:
    """``run_charts`` as ``run`` and ``chart``."""
    return [stem(word) for word in name.split("_")]


def look_alikes(names: list[str]) -> list[tuple[str, str]]:
    """Pairs of names that differ in their endings alone."""
    return [(one, other) for one, other in combinations(sorted(names), 2) if stems(one) == stems(other)]


def contents(folder: Path) -> list[str]:
    """The names of the modules and packages that stand in a folder."""
    there = (path for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists())
    return sorted(path.stem for path in there)


FOLDERS = sorted({path.parent for path in MODULES})


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_say_what_is_held(path: Path) -> None:
    assert empty_names(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_and_functions_are_of_a_size(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= LONGEST_MODULE
    assert long_functions(source) == []


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_stands_beside_something_of_nearly_the_same_name(folder: Path) -> None:
    assert look_alikes(contents(folder)) == []


@pytest.mark.parametrize(
    "source",
    [
        "told = 1",
        "def f(found): ...",
        "def f(*, known=1): ...",
        "print(record.told)",
        "f(known=1)",
        "for found in []: ...",
        "[known for known in ()]",
        "lambda told: 1",
        "print(f'{found}')",
        "if (told := 1): ...",
        "class A:\n    known: int",
        "def told(): ...",
        "from a import b as found",
        "try: ...\nexcept ValueError as told: ...",
    ],
)
def test_an_empty_name_is_seen(source: str) -> None:
    assert empty_names(source) != []


@pytest.mark.parametrize("source", ["'told'  # found", "record['known']", "untold = well_known = 1"])
def test_words_and_longer_names_are_let_through(source: str) -> None:
    assert empty_names(source) == []


COMMAND = "def run(\n    a: Annotated[int, typer.Option()] = 1,\n) -> None:\n    '''Help.\n\n    More.'''\n"
PLAIN = "def run(\n    a: int = 1,\n) -> None:\n    '''Help.\n\n    More.'''\n"


@pytest.mark.parametrize(
    ("head", "lines", "too_long"),
    [(COMMAND, 50, False), (COMMAND, 51, True), (PLAIN, 44, False), (PLAIN, 45, True)],
)
def test_a_long_function_is_seen_and_a_command_line_is_none_of_it(
    head: str, lines: int, too_long: bool
) -> None:
    assert bool(long_functions(head + "    f()\n" * lines)) is too_long


@pytest.mark.parametrize(
    "names",
    [
        ["compare", "compared"],
        ["comparing", "comparison"],
        ["recorder", "recording"],
        ["word", "words"],
        ["run_chart", "run_charts"],
    ],
)
def test_look_alikes_are_seen(names: list[str]) -> None:
    assert look_alikes([*names, "verdict"]) == [tuple(names)]


def test_other_words_with_one_beginning_are_none() -> None:
    assert look_alikes(["run", "run_charts", "task", "task_step", "profile", "places", "plan"]) == []
