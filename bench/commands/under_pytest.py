"""Questions measured under pytest and pytest-benchmark, whose file the results go into."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.commands.network import Asking
from bench.records.run import Run
from mtl_core.errors import UserError

if TYPE_CHECKING:
    from bench.harness.session import Session

HOME = Path(__file__).parents[2]  # where the suite lies
NOWHERE = Path(os.devnull)
INTERRUPTED = 2  # pytest's exit code after Ctrl-C


@dataclass(frozen=True)
class Ended:
    """How pytest came back: with a run, or why there is none."""

    run: Run | None
    refused: UserError | None
    code: int  # pytest's
    said: str  # what pytest printed, which is for us and not for the reader
    document: dict[str, Any] | None = None  # pytest-benchmark's; None without any benchmark

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended it."""
        return self.run is None and self.refused is None and self.code == INTERRUPTED


class _Frame:
    """Gives pytest our session, and takes the outcome from it."""

    def __init__(self, session: Session, modules: Sequence[Any]) -> None:
        self.session, self.modules = session, modules
        self.run: Run | None = None
        self.refused: UserError | None = None
        self.document: dict[str, Any] | None = None

    def pytest_benchmark_update_json(self, output_json: dict[str, Any]) -> None:
        self.document = output_json  # pytest-benchmark would leave half of it on a full disk

    def pytest_configure(self, config: Any) -> None:
        from bench.plugin import QUESTIONS, SESSION

        config.stash[SESSION] = self.session
        config.stash[QUESTIONS] = [m.QUESTION for m in self.modules if isinstance(m, Asking)]

    def pytest_unconfigure(self, config: Any) -> None:
        from bench.plugin import OUTCOME, REFUSED

        self.run = config.stash.get(OUTCOME, None)
        self.refused = config.stash.get(REFUSED, None)


@contextmanager
def _environment(**given: str) -> Iterator[None]:
    """These variables of pytest's and no other of it; as before in the end."""
    before = {name: value for name, value in os.environ.items() if name.startswith("PYTEST_")}
    for name in before:
        del os.environ[name]
    os.environ.update(given)
    try:
        yield
    finally:
        for name in given:
            os.environ.pop(name, None)
        os.environ.update(before)


def in_file(document: dict[str, Any]) -> bytes:
    """A run's document as pytest-benchmark writes it."""
    from pytest_benchmark.utils import safe_dumps

    text: str = safe_dumps(document, ensure_ascii=True, indent=4)  # type: ignore[no-untyped-call]
    return text.encode()


def measure_under_pytest(modules: Sequence[Any], session: Session) -> Ended:
    """Measure what the modules ask; what pytest-benchmark would write is the ended run's document."""
    import pytest

    from bench import plugin

    files = list(dict.fromkeys(str(module.__file__) for module in modules))
    frame, said = _Frame(session, modules), io.StringIO()
    # Our plugin is given as it is, not by its entry point, which a checkout that is not installed lacks.
    options = ["-p", "no:mtl_bench", "-p", "no:cacheprovider", "-W", "default", "-q", "-o", "addopts="]
    options += ["--capture=no"]  # else pytest takes standard error itself, and the progress with it
    # The user's pytest is none of ours: neither its configuration, nor its conftest.py, nor its plugins.
    options += ["-c", os.devnull, f"--rootdir={HOME}", "--noconftest", "-p", "pytest_benchmark.plugin"]
    with redirect_stdout(said), redirect_stderr(said), _environment(PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"):
        code = pytest.main([*files, *options, f"--benchmark-json={NOWHERE}"], plugins=[plugin, frame])
    return Ended(frame.run, frame.refused, int(code), said.getvalue(), frame.document)
