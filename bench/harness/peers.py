"""Environments of other frameworks: made by uv once, kept in the user's cache, used only when whole.

MXNet and another framework never share a process, and the coordinator loads neither.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench.harness.pool import WorkerFailedError, WorkerProcess
from bench.questions.peers import PEERS, VARIANTS, Peer, install_command
from bench.questions.workload import PEER
from mtl_core.errors import UserError, visible
from mtl_core.platform.cache import cache

READY = "mtl-bench-ready"  # written into an environment when it is whole
ROOT = Path(__file__).parents[2]
# The peer's packages go before whatever lies beside this suite's own.
START = """
import runpy, sys
sys.path[0:1] = []
sys.path.append(sys.argv.pop())
runpy.run_module("bench.worker", run_name="__main__", alter_sys=True)
"""
Run = Callable[[list[str], Mapping[str, str]], None]
Say = Callable[[str], None]


def folder_of(peer: Peer) -> Path:
    """Where a peer's environment lies: another one for other versions and another Python.

    All virtual environments of a Python share it, as those of nox's sessions are.
    """
    digest = hashlib.sha256(peer.lock.read_bytes())
    digest.update(f"{sys.version} {Path(sys.base_prefix).resolve()}".encode())
    return cache("peers") / f"{peer.name}-{digest.hexdigest()[:16]}"


def python_of(peer: Peer) -> Path | None:
    """Its interpreter; None where the environment was not made, or not to its end."""
    folder = folder_of(peer)
    return folder / "bin" / "python" if (folder / READY).exists() else None


def find_uv() -> str:
    """uv on PATH, or that of the package ``uv``. Raises UserError where there is neither."""
    on_path = shutil.which("uv")
    if on_path:
        return on_path
    try:
        from uv import find_uv_bin

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        raise UserError(
            "uv is not found, which makes the environments of other frameworks: pip install uv"
        ) from None


@contextmanager
def _alone(say: Say) -> Iterator[None]:
    """Nobody else makes or removes environments meanwhile."""
    folder = cache("peers")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise UserError(f"{folder} cannot be written ({error.strerror}); set XDG_CACHE_HOME") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another run, which makes or removes environments in {folder}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def install(peer: Peer, say: Say, run: Run | None = None) -> Path:
    """Its interpreter; the environment is made where it is not there yet, its size told before.

    Raises UserError where it cannot be made; nothing of it is left then.
    """
    python = python_of(peer)
    if python:
        return python
    uv = find_uv()
    with _alone(say):
        if python_of(peer) is None:  # another run may just have made it
            folder = folder_of(peer)
            say(f"{peer.name}: {peer.plain} {peer.version}, {peer.size}, into {folder}")
            try:
                _make(peer, folder, uv, run or _run)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            (folder / READY).touch()
    return folder_of(peer) / "bin" / "python"


def _make(peer: Peer, folder: Path, uv: str, run: Run) -> None:
    shutil.rmtree(folder, ignore_errors=True)  # half made by a run that was killed
    python = folder / "bin" / "python"
    run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)], {})
    into = [uv, "pip", "install", "--quiet", "--python", str(python)]
    if peer.backend is None:
        run([*into, "--requirements", str(peer.lock)], {})
        return
    try:
        run([*into, "--torch-backend", peer.backend, "--requirements", str(peer.lock)], {})
    except UserError as error:
        # Without that index: a build for the processor from the user's own or UV_FIND_LINKS; never CUDA's.
        constraint = folder / "only-for-the-processor.txt"
        constraint.parent.mkdir(parents=True, exist_ok=True)
        line = f"{peer.package}=={peer.version}+{peer.backend} ; sys_platform == 'linux'\n"
        constraint.write_text(line, encoding="utf-8")
        try:
            run([*into, "--constraint", str(constraint), "--requirements", str(peer.lock)], {})
        except UserError:
            raise UserError(
                f"{error}; its wheel for the processor may lie in a folder named by UV_FIND_LINKS"
            ) from None


def _run(command: list[str], environment: Mapping[str, str]) -> None:
    """Run uv where no project's pyproject.toml says what to install in place of the lock."""
    done = subprocess.run(
        command,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        cwd=cache("peers"),
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise UserError(f"{Path(command[0]).name} could not install it: {visible(last)}")


def install_all(say: Say) -> None:
    """Make what is not there of the peers for the processor; one line for each that cannot be had."""
    for peer in PEERS.values():
        if peer.gpu:
            continue
        try:
            install(peer, say)
        except UserError as error:
            say(f"{peer.plain} is left out: {error}; to try again: {install_command(peer.name)}")


def not_installed() -> set[str]:
    """The variants whose environment is not there."""
    return {
        name
        for name, variant in VARIANTS.items()
        if PEER in variant.environment and python_of(PEERS[variant.environment[PEER]]) is None
    }


def remove(say: Say) -> list[Path]:
    """Remove every peer's environment, those of other versions and half-made ones too; which there were."""
    with _alone(say):
        folders = sorted(path for path in cache("peers").iterdir() if path.is_dir())
        for folder in folders:
            (folder / READY).unlink(missing_ok=True)  # from here on nobody takes it for whole
            shutil.rmtree(folder)
        for problem in cache("peers").glob("problem-*.npz"):
            problem.unlink()
    return folders


def start_worker(environment: dict[str, str]) -> WorkerProcess:
    """A worker with the Python of the peer that its environment names; with this one where it names none.

    Raises WorkerFailedError where that peer is not installed.
    """
    name = environment.get(PEER)
    if name is None:
        return WorkerProcess(environment)
    python = python_of(PEERS[name])
    if python is None:
        raise WorkerFailedError(f"not installed: {install_command(name)}", [])
    inherited = {variable: value for variable, value in os.environ.items() if variable != "PYTHONPATH"}
    return WorkerProcess(environment, inherited=inherited, python=str(python), start=("-c", START, str(ROOT)))
