"""A question that is asked by its name alone is measured for nobody who did not name it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.plugin import FIXTURE, QUESTIONS, pytest_collection_modifyitems


def item(name: str, by_name: bool | None) -> Any:
    """A collected test of a question; None: of a module without one."""
    question = SimpleNamespace(name=name.removeprefix("test_").removesuffix(".py"), by_name=by_name)
    module = SimpleNamespace() if by_name is None else SimpleNamespace(QUESTION=question)
    return SimpleNamespace(module=module, path=Path("bench/benchmarks", name), fixturenames=[FIXTURE])


class Config:
    """What the plugin asks pytest's configuration for."""

    def __init__(self, args: list[str], expression: str = "") -> None:
        self.args, self.expression, self.stash = args, expression, pytest.Stash()
        self.deselected: list[Any] = []
        self.hook = SimpleNamespace(pytest_deselected=lambda items: self.deselected.extend(items))

    def getoption(self, name: str) -> str:
        assert name == "-k"
        return self.expression


@pytest.mark.parametrize(
    ("config", "left_out"),
    [
        (Config(["bench"]), ["test_latency.py"]),
        (Config(["bench/benchmarks/test_drift.py"]), ["test_latency.py"]),
        (Config(["bench/benchmarks/test_latency.py"]), []),
        (Config(["bench/benchmarks/test_latency.py::test_latency[latency/batch_1/static]"]), []),
        (Config(["bench"], expression="latency and step"), []),
        (Config(["bench"], expression="drift or late"), ["test_latency.py"]),
    ],
)
def test_pytest_leaves_it_out_unless_it_is_named(config: Any, left_out: list[str]) -> None:
    items = [item("test_latency.py", True), item("test_drift.py", False), item("test_other.py", None)]
    pytest_collection_modifyitems(config, items)
    assert [each.path.name for each in config.deselected] == left_out
    kept = ["test_latency.py", "test_drift.py", "test_other.py"]
    assert [each.path.name for each in items] == [name for name in kept if name not in left_out]


def test_what_a_run_was_told_to_ask_stays() -> None:
    config: Any = Config(["bench"])
    config.stash[QUESTIONS] = []
    items = [item("test_latency.py", True)]
    pytest_collection_modifyitems(config, items)
    assert len(items) == 1


def test_a_test_that_measures_nothing_is_no_question() -> None:
    """Such as one of ours that looks at what a question declares."""
    of_ours = item("test_latency.py", True)
    of_ours.fixturenames = []
    items = [of_ours]
    pytest_collection_modifyitems(Config(["tests"]), items)  # type: ignore[arg-type]
    assert items == [of_ours]
