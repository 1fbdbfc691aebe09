"""Importing MXNet leaves NumPy as it was found, and a failure says what is wrong and what mends it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mtl_core.platform.mxnet import _REMOVED_FROM_NUMPY, _dropped, _names_numpy_removed

ROOT = Path(__file__).parent.parent


def run(code: str) -> str:
    """What ``code`` prints in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=120, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_leaves_numpy_exactly_as_found() -> None:
    """Names and what they stand for; submodules that MXNet asks for are loaded beforehand."""
    assert (
        run(
            "import numpy, numpy.random, numpy.testing, numpy.lib.stride_tricks\n"
            "import types\n"
            "before, listed = dict(vars(numpy)), set(dir(numpy))\n"
            "import mtl_core.platform.mxnet\n"
            "after = vars(numpy)\n"
            "changed = {n for n in before.keys() ^ after.keys()} | "
            "{n for n in before.keys() & after.keys() if before[n] is not after[n]}\n"
            "changed |= listed ^ set(dir(numpy))\n"
            "changed -= {n for n in changed if isinstance(after.get(n), types.ModuleType)}\n"
            "print('same' if not changed else changed)\n"
        )
        == "same"
    )


def test_names_are_there_in_the_block_and_gone_after_a_failure_in_it() -> None:
    before = dict(vars(np))
    missing = [name for name in _REMOVED_FROM_NUMPY if name not in before]
    with pytest.raises(RuntimeError), _names_numpy_removed():
        assert all(name in vars(np) for name in _REMOVED_FROM_NUMPY)
        raise RuntimeError
    assert missing  # NumPy of every supported version has dropped some
    assert vars(np) == before


def test_a_stand_in_says_that_numpy_dropped_it_and_which_numpy() -> None:
    expected = re.escape(f"numpy.mirr was removed from NumPy {np.__version__}")
    with pytest.raises(NotImplementedError, match=expected):
        _dropped("mirr")([1, 2], 0.1, 0.2)


def test_only_one_module_imports_mxnet() -> None:
    importers = set()
    for folder in ("mtl_core", "bench", "reports"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
                if any(name.split(".")[0] == "mxnet" for name in names):
                    importers.add(path.relative_to(ROOT).as_posix())
    dynamic = (ROOT / "mtl_core" / "platform" / "mxnet.py").read_text()
    assert 'import_module("mxnet")' in dynamic
    assert importers == set()  # _mxnet.py itself imports it by name, to catch what goes wrong


REFUSAL = """
import sys
{before}
from mtl_core.errors import UserError
try:
    import mtl_core.platform.mxnet
except UserError as error:
    print(error)
"""
BLOCKED = """
import importlib.util
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "mxnet" else real(name, *rest)
class Blocker:
    def find_spec(self, name, *rest):
        if name.split(".")[0] == "mxnet":
            raise ModuleNotFoundError("No module named 'mxnet'", name="mxnet")
sys.meta_path.insert(0, Blocker())
"""


def refused(before: str) -> str:
    line = run(REFUSAL.format(before=before))
    assert line
    assert "\n" not in line
    return line


def fake(folder: Path, code: str) -> str:
    """Code that puts an ``mxnet`` whose import runs ``code`` before the real one."""
    (folder / "mxnet").mkdir()
    (folder / "mxnet" / "__init__.py").write_text(code)
    return f"sys.path.insert(0, {str(folder)!r})"


def names_the_versions(line: str) -> bool:
    python = ".".join(map(str, sys.version_info[:3]))
    return f"Python {python}" in line and f"NumPy {np.__version__}" in line


def test_a_missing_mxnet_is_named_with_the_command_that_installs_it() -> None:
    line = refused(BLOCKED)
    assert "MXNet is not installed" in line
    assert "pip install 'mtl-bench[cpu]'" in line
    assert names_the_versions(line)


def test_an_import_before_ours_that_failed_halfway_is_named_with_what_to_write(tmp_path: Path) -> None:
    """NumPy's complaint has several lines; the parts of MXNet that had loaded stay."""
    code = "import mxnet.base\nraise AttributeError('no bool\\nin it')"
    before = fake(tmp_path, code)
    (tmp_path / "mxnet" / "base.py").write_text("")
    line = refused(f"{before}\ntry:\n    import mxnet\nexcept AttributeError:\n    pass")
    assert "mxnet was imported before by something else" in line
    assert "(AttributeError: no bool in it; " in line
    assert "write from mtl_core.platform.mxnet import mx" in line


def test_too_little_memory_is_not_taken_for_a_broken_installation(tmp_path: Path) -> None:
    code = "raise OSError('libmxnet.so: failed to map segment from shared object')"
    assert "not enough memory to load MXNet" in refused(fake(tmp_path, code))


CONFTEST = """
{before}
import mxnet
"""


@pytest.mark.parametrize("ours", [True, False])
def test_a_conftest_that_imports_mxnet_gets_one_line(tmp_path: Path, ours: bool) -> None:
    """What else may be wrong in one keeps its traceback."""
    where = fake(tmp_path, "import numpy\nnumpy.such_a_thing" if ours else "1 / 0")
    (tmp_path / "conftest.py").write_text(CONFTEST.format(before=f"import sys\n{where}"))
    command = [sys.executable, "-m", "pytest", "-p", "no:mtl_bench", "-p", "bench.plugin", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=ROOT)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR, done.stdout + done.stderr
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert ("write from mtl_core.platform.mxnet import mx in its place" in lines[0]) == ours
    assert (len(lines) == 1) == ours


def test_a_missing_distutils_is_named_with_the_command_that_brings_it_back(tmp_path: Path) -> None:
    code = "raise ModuleNotFoundError(\"No module named 'distutils'\", name='distutils')"
    line = refused(fake(tmp_path, code))
    assert "distutils" in line
    assert "pip install setuptools" in line


def test_a_library_that_does_not_load_is_named_with_both_remedies(tmp_path: Path) -> None:
    line = refused(fake(tmp_path, "raise OSError('libcudnn.so.8: cannot open shared object file')"))
    assert "libcudnn.so.8" in line
    assert "pip install 'mtl-bench[gpu]'" in line
    assert names_the_versions(line)


@pytest.mark.parametrize(
    "code",
    [
        "import numpy; numpy.a_name_of_the_future",
        "raise RuntimeError('two\\nlines')",
        "raise ImportError('x')",
    ],
)
def test_an_untried_combination_is_named_with_its_versions(tmp_path: Path, code: str) -> None:
    line = refused(fake(tmp_path, code))
    assert "does not import here" in line
    assert names_the_versions(line)
    assert "uvx nox -s bench" in line
