"""Every way to use the project, one session each: ``nox -l`` lists them, ``nox -s NAME -- ...`` passes on.

Environments are made by uv where it is found, by virtualenv elsewhere, and kept; what is installed
in one already is not installed again, so that a later start costs little.
"""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path

import nox

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT))

from mtl_core.errors import ExitCode, UserError  # noqa: E402  # standard library only; found beside this file
from mtl_core.platform.gpu_choice import choose  # noqa: E402

try:
    CHOICE = choose()
except UserError as error:
    print(f"error: {error}", file=sys.stderr)
    raise SystemExit(int(ExitCode.BAD_INPUT)) from None

nox.needs_version = ">=2025.11.12"  # download_python
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["lint", "tests"]
# MXNet's CPU and GPU builds fill the same folder: an environment has one of them for life.
nox.options.envdir = f".nox/{CHOICE.extra}"

PYTHONS = ["3.10", "3.11", "3.12", "3.13"]
# The Python that runs nox, or one that was tried where that one was not.
DEFAULT = None if "{}.{}".format(*sys.version_info) in PYTHONS else "3.12"
NEEDS_UV = (3, 13)
ATTACKS = ("tests/test_attack.py", "tests/test_kills.py", "tests/test_odd.py")
DAMAGED_FILES = "10000"
OF_PLOTS = ("tests/test_report_in_browser.py", "tests/test_charts.py")
WHOLE = ("-m", "whole")  # what the tests leave out for its length
WITH_WHOLE = ("-m", "not gpu_wheels and not wheel and not real_peers")
# A module's tests share whole runs; pytest-benchmark's fixture, which none uses, cannot be shared out.
ON_EVERY_CORE = ("-n", "auto", "--dist", "loadscope", "--benchmark-disable")


def oldest(package: str) -> str:
    """``plotly==6`` where the project allows ``plotly>=6``."""
    (least,) = re.findall(rf'"{package}>=([0-9.]+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return f"{package}=={least}"


def install(session: nox.Session, *extras: str) -> None:
    """Install the project with these extras, unless this environment has just that already."""
    project = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    wanted, stamp = f"{','.join(extras)} {project}", Path(session.virtualenv.location, "mtl-bench-installed")
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    # MXNet takes seconds to import without compiled bytecode, and every worker imports it.
    session.install("-e", f".[{','.join(extras)}]", env={"UV_COMPILE_BYTECODE": "1"})
    stamp.write_text(wanted, encoding="utf-8")


def install_with_mxnet(session: nox.Session, *extras: str) -> None:
    """Install the project, these extras and MXNet for the device found here; say which and why."""
    session.log(CHOICE.reason)
    version = tuple(map(int, session.python.split("."))) if session.python else sys.version_info
    if session.venv_backend != "uv" and version >= NEEDS_UV:
        session.error('MXNet\'s metadata stops pip on this Python; uv gets past it: pip install "nox[uv]"')
    install(session, CHOICE.extra, "onnx", *extras)


def command(session: nox.Session, name: str, *extras: str, package: str = "bench") -> None:
    """Install what it needs, then ``python -m PACKAGE NAME`` with the arguments that were passed on."""
    install_with_mxnet(session, *extras)
    session.run("python", "-m", package, name, *session.posargs)


def pytest(session: nox.Session, *chosen: str) -> None:
    """Install the tests' libraries too, then pytest on every core with the arguments that were passed on."""
    install_with_mxnet(session, "test")
    session.run("python", "-m", "pytest", *ON_EVERY_CORE, *chosen, *session.posargs)


@nox.session(python=DEFAULT)
def bench(session: nox.Session) -> None:
    """Measure and answer: python -m bench run. Arguments go on, such as ``-- --quick``."""
    command(session, "run", *(["peers"] if "peers" in session.posargs else []))


@nox.session(python=DEFAULT)
def compare(session: nox.Session) -> None:
    """Compare result files: python -m bench compare. Arguments go on: ``-- before.json after.json``."""
    command(session, "compare")


@nox.session(python=DEFAULT)
def report(session: nox.Session) -> None:
    """Make a page of a result: python -m bench report. Arguments go on, such as ``-- RUN.json --open``."""
    install(session)
    session.run("python", "-m", "bench", "report", *session.posargs)


@nox.session(python=DEFAULT)
def work(session: nox.Session) -> None:
    """Count exactly what a step does: python -m bench work. Arguments go on, such as ``-- --check``."""
    command(session, "work")


@nox.session(python=DEFAULT)
def regress(session: nox.Session) -> None:
    """Compare two revisions: python -m bench regress. Arguments go on, such as ``-- --base main``."""
    command(session, "regress")


@nox.session(python=DEFAULT)
def peers(session: nox.Session) -> None:
    """List, make or remove the environments of PyTorch and JAX: python -m bench peers. Arguments go on."""
    install(session, "peers")
    session.run("python", "-m", "bench", "peers", *session.posargs)


@nox.session(python=DEFAULT)
def profile(session: nox.Session) -> None:
    """Say where a benchmark's time goes: python -m bench profile. Arguments go on, such as its name."""
    command(session, "profile")


@nox.session(python=DEFAULT)
def train(session: nox.Session) -> None:
    """Train the network on MNIST: python -m mtl_core train. Arguments go on, such as ``-- --epochs 1``."""
    command(session, "train", package="mtl_core")


@nox.session(python=DEFAULT)
def examples(session: nox.Session) -> None:
    """Ask the networks declared in docs/examples what their heads cost; train the captioner."""
    install_with_mxnet(session)
    with session.chdir("docs/examples"):
        for name in ("three_heads", "captioner", "resnet"):
            how = ("--quick", "--budget", "30s", "--batch-size", "8")
            session.run("mtl-bench", "run", "heads", "--network", f"{name}:task", *how, *session.posargs)
        session.run("python", "captioner.py")


@nox.session(python=DEFAULT)
def notebook(session: nox.Session) -> None:
    """Run docs/notebook.ipynb, which keeps what its cells show: some minutes."""
    install_with_mxnet(session, "test")
    session.run("jupyter", "execute", "--inplace", "--timeout=900", "docs/notebook.ipynb", *session.posargs)


@nox.session(python=DEFAULT)
def tests(session: nox.Session) -> None:
    """Run the tests: pytest. Arguments go on, such as ``-- -k stats``."""
    pytest(session)


@nox.session(python=DEFAULT)
def tests_whole(session: nox.Session) -> None:
    """Run the tests that take minutes: whole commands with real workers, pages in a real browser."""
    pytest(session, *WHOLE)


@nox.session(python=PYTHONS, download_python="never")
def tests_each(session: nox.Session) -> None:
    """Run the tests on each supported Python that is found; the others are skipped, not installed."""
    pytest(session)


@nox.session(python=DEFAULT)
def coverage(session: nox.Session) -> None:
    """How often intervals hold a known truth, on made-up data: some minutes. Argument: how many runs."""
    install(session)
    session.run("python", "-m", "tests.scenarios", *session.posargs)


@nox.session(python=DEFAULT)
def attack(session: nox.Session) -> None:
    """Damage 10,000 files, kill 10 runs thrice, try 280 command lines: minutes. Arguments go to pytest."""
    install_with_mxnet(session, "test")
    how = ("-n", "auto", "--benchmark-disable")  # each test by itself, since none shares what another made
    chosen = (*WITH_WHOLE, *ATTACKS, *session.posargs)
    session.run("python", "-m", "pytest", *how, *chosen, env={"MTL_ATTACK": DAMAGED_FILES})


@nox.session(python=DEFAULT)
def plots(session: nox.Session) -> None:
    """Look at a page's plots in a browser, with the oldest and the newest plotly that are allowed."""
    install(session, "test")
    for allowed in (oldest("plotly"), "plotly"):
        session.install("--upgrade", allowed, env={"UV_COMPILE_BYTECODE": "1"})
        session.run("python", "-m", "pytest", "--benchmark-disable", *WITH_WHOLE, *OF_PLOTS, *session.posargs)


@nox.session(python=DEFAULT)
def gpu_wheels(session: nox.Session) -> None:
    """Check that the GPU build's libraries are in the wheels named: a 2 GB download, no GPU needed."""
    install(session, "gpu", "test")
    session.run("python", "-m", "pytest", "-m", "gpu_wheels", "tests/test_gpu_wheels.py", *session.posargs)


@nox.session(python=DEFAULT)
def peers_tests(session: nox.Session) -> None:
    """Run PyTorch and JAX for real in the tests' place: their environments have 1.5 GB on disk."""
    install_with_mxnet(session, "peers", "onnx", "test")
    session.run("python", "-m", "bench", "peers", "--install")
    session.run("python", "-m", "pytest", "-m", "real_peers", "tests/test_real_peers.py", *session.posargs)


@nox.session(python=PYTHONS, download_python="never")
def wheel(session: nox.Session) -> None:
    """Install the wheel into an environment of its own and go through every command: some minutes."""
    install(session, "test")
    # Its override gets past MXNet's metadata on 3.13.
    session.install("uv", env={"UV_COMPILE_BYTECODE": "1"})
    session.run("python", "-m", "pytest", "-m", "wheel", "tests/test_wheel.py", *session.posargs)


@nox.session(python=DEFAULT)
def lint(session: nox.Session) -> None:
    """Check style, format, types and CI files. Arguments go to ruff's check, such as ``-- --fix``."""
    install(session, "lint")
    session.run("ruff", "check", *session.posargs)
    session.run("ruff", "format", "--check")
    session.run("mypy", "--strict", "bench", "mtl_core", "reports")
    workflows = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob(".github/workflows/*.yml"))
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows)
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-actions", "action.yml")
    session.run("check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", ".gitlab/mtl-bench.yml")
