"""The benchmark that docs/new-benchmark.md shows is one: it is run as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.results.run_file import read_run
from reports.model.tables import same_work

ROOT = Path(__file__).parent.parent


@pytest.fixture
def documented(tmp_path: Path) -> Path:
    told = (ROOT / "docs" / "new-benchmark.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", told, re.DOTALL)
    path = tmp_path / "test_engine.py"
    path.write_text(code, encoding="utf-8")
    return path


def python(*arguments: str, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        timeout=240,
        env={**os.environ, "PYTHONPATH": str(ROOT), "MYPYPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.whole
def test_it_measures_and_answers(documented: Path) -> None:
    folder, ours = documented.parent, ("-p", "no:mtl_bench", "-p", "bench.plugin")
    options = ("-p", "no:cacheprovider", "--mtl-budget=1s", "--benchmark-json=x.json")
    python("pytest", documented.name, *ours, *options, folder=folder)
    run = read_run(folder / "x.json")
    known = run.measured["engine/step"]
    assert same_work(known)  # so that its table has ratios
    assert known["naive"].effect is not None
    assert run.answers[0].sentences[0].startswith("On the naive engine the step takes ")


def test_it_is_as_strict_as_the_others(documented: Path) -> None:
    pytest.importorskip("mypy")
    strict = ("--strict", f"--cache-dir={ROOT / '.mypy_cache'}", f"--config-file={ROOT / 'pyproject.toml'}")
    python("mypy", *strict, documented.name, folder=documented.parent)
