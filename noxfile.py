"""Every way to use the project, one session each: ``nox -l`` lists them, ``nox -s NAME -- ...`` passes on.

Environments are made by uv where it is found, by virtualenv elsewhere, and kept.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nox

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT))

from mtl_core.gpu_choice import choose  # noqa: E402  # standard library only; found beside this file

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "tests"]
PYTHONS = ["3.10", "3.11", "3.12", "3.13"]


def install(session: nox.Session, *extras: str) -> None:
    """Install the project with MXNet for the device found here, and these extras."""
    choice = choose()
    session.log(choice.reason)
    # MXNet takes seconds to import without compiled bytecode, and every worker imports it.
    env = {"UV_COMPILE_BYTECODE": "1"}
    session.install("-e", f".[{','.join((choice.extra, *extras))}]", env=env)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure and answer: python -m bench run. Arguments go on, such as ``-- --quick``."""
    install(session)
    session.run("python", "-m", "bench", "run", *session.posargs)


@nox.session
def train(session: nox.Session) -> None:
    """Train the network on MNIST: python -m mtl_core train."""
    install(session)
    session.run("python", "-m", "mtl_core", "train", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests on the default Python."""
    install(session, "test")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session(python=PYTHONS, download_python="never")
def tests_each(session: nox.Session) -> None:
    """Run the tests on each supported Python that is found; the others are skipped."""
    install(session, "test")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session
def gpu_wheels(session: nox.Session) -> None:
    """Download the GPU build (over 0.5 GB) and check that every library it needs is in the wheels named."""
    install(session, "test")
    session.run("python", "-m", "pytest", "-m", "gpu_wheels", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, format and types."""
    install(session, "test", "lint")
    if session.posargs:
        session.run("ruff", "check", *session.posargs)
        return
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy", "bench", "mtl_core", "reports")
