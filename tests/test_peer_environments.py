"""Environments of other frameworks: made once, told before, never used half-made; the making is played."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from typer.testing import CliRunner

from bench.__main__ import app
from bench.gate.environments import tomllib
from bench.harness import peers as under_test
from bench.harness.peers import (
    READY,
    folder_of,
    install,
    install_all,
    not_installed,
    python_of,
    remove,
    start_worker,
)
from bench.harness.pool import WorkerFailedError
from bench.questions.peers import PEERS, peers_command
from bench.questions.workload import PEER
from mtl_core.errors import UserError
from mtl_core.platform.cache import cache

JAX, TORCH = PEERS["jax"], PEERS["torch"]


class Made:
    """Plays uv: makes the folder, fails where it is told to."""

    def __init__(self, *fails: str) -> None:
        self.commands: list[list[str]] = []
        self.fails = fails

    def __call__(self, command: list[str], environment: Mapping[str, str]) -> None:
        self.commands.append(command)
        if any(word in command for word in self.fails):
            raise UserError("uv could not install it: no network")
        if "venv" in command:
            (Path(command[-1]) / "bin").mkdir(parents=True)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("NOX_CURRENT_SESSION", raising=False)  # else commands are told through nox
    monkeypatch.setattr(under_test, "find_uv", lambda: "/bin/uv")


def test_an_environment_is_made_once_and_its_size_is_told_before() -> None:
    said: list[str] = []
    made = Made()
    first = install(JAX, said.append, made)
    assert said == [f"jax: JAX {JAX.version}, {JAX.size}, into {folder_of(JAX)}"]
    assert [command[1] for command in made.commands] == ["venv", "pip"]
    assert str(JAX.lock) in made.commands[1]
    assert first == folder_of(JAX) / "bin" / "python" == python_of(JAX)
    assert install(JAX, said.append, made) == first
    assert len(made.commands) == 2 and len(said) == 1


def test_all_virtual_environments_of_a_python_share_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of nox's sessions has its own: what one of them made is there for the others."""
    here = folder_of(JAX)
    monkeypatch.setattr(sys, "executable", "/another/virtual/environment/bin/python")
    monkeypatch.setattr(sys, "prefix", "/another/virtual/environment")
    assert folder_of(JAX) == here
    monkeypatch.setattr(sys, "base_prefix", "/another/python")
    assert folder_of(JAX) != here


def test_commands_are_told_as_one_came(monkeypatch: pytest.MonkeyPatch) -> None:
    assert peers_command() == "python -m bench peers"
    assert peers_command("--remove") == "python -m bench peers --remove"
    monkeypatch.setenv("NOX_CURRENT_SESSION", "bench")
    assert peers_command() == "uvx nox -s peers"
    assert peers_command("--install", "jax") == "uvx nox -s peers -- --install jax"


def test_what_is_refused_is_refused_before_anything_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[str] = []
    monkeypatch.setattr(under_test, "install", lambda peer, say: fetched.append(peer.name))
    done = CliRunner().invoke(app, ["run", "peers", "--batch-size", "4096"])
    assert isinstance(done.exception, UserError), done.output
    assert "expected at most 2048" in str(done.exception) and not fetched


def test_what_failed_leaves_nothing_and_is_not_used() -> None:
    with pytest.raises(UserError, match="no network"):
        install(JAX, lambda line: None, Made("pip"))
    assert not folder_of(JAX).exists() and python_of(JAX) is None


def test_a_half_made_one_is_not_used_and_made_anew() -> None:
    left = folder_of(JAX) / "bin" / "left-behind"
    left.parent.mkdir(parents=True)
    left.touch()
    assert python_of(JAX) is None
    install(JAX, lambda line: None, Made())
    assert not left.exists() and (folder_of(JAX) / READY).exists()


def test_two_runs_at_once_make_it_once() -> None:
    """The second waits, says so, and finds it made."""
    cache("peers").mkdir(parents=True)
    said: list[str] = []
    waiting = threading.Event()

    def say(line: str) -> None:
        said.append(line)
        waiting.set()

    made = Made()
    with (cache("peers") / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        other = threading.Thread(target=install, args=(JAX, say, made))
        other.start()
        assert waiting.wait(30)
        folder_of(JAX).mkdir()
        (folder_of(JAX) / READY).touch()  # the first run is done
        fcntl.flock(held, fcntl.LOCK_UN)
        other.join(30)
    assert made.commands == []
    assert len(said) == 1 and said[0].startswith("waiting for another run")


def test_pytorch_is_taken_for_the_processor_alone() -> None:
    made = Made()
    install(TORCH, lambda line: None, made)
    assert made.commands[1][made.commands[1].index("--torch-backend") + 1] == "cpu"
    remove(lambda line: None)
    made = Made("--torch-backend")  # PyTorch's own index cannot be reached
    install(TORCH, lambda line: None, made)
    constraint = Path(made.commands[2][made.commands[2].index("--constraint") + 1])
    assert constraint.read_text().startswith(f"torch=={TORCH.version}+cpu ;")


def test_where_pytorch_cannot_be_had_it_says_what_helps() -> None:
    with pytest.raises(UserError, match=r"no network; .*UV_FIND_LINKS"):
        install(TORCH, lambda line: None, Made("pip"))


def test_what_cannot_be_had_is_left_out_with_the_command_that_would(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = Made("--torch-backend", "--constraint")
    monkeypatch.setattr(under_test, "_run", made)
    said: list[str] = []
    install_all(said.append)
    assert said[1].startswith("PyTorch is left out: uv could not install it: no network")
    assert said[1].endswith("python -m bench peers --install torch")
    assert not_installed() == {
        "pytorch_eager",
        "pytorch_fused",
        "pytorch_compiled",
        "pytorch_gpu",
        "jax_gpu",
    }, "what has gigabytes is made by its own command alone"


def test_uv_runs_where_no_project_overrides_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """It heeds the overrides of a pyproject.toml in the current folder: this suite's keeps NumPy below 2."""
    monkeypatch.chdir(under_test.ROOT)
    cache("peers").mkdir(parents=True)
    under_test._run([sys.executable, "-c", "import os; open('here', 'w').write(os.getcwd())"], {})
    assert (cache("peers") / "here").read_text() == str(cache("peers"))


def test_without_uv_it_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setitem(sys.modules, "uv", None)
    with pytest.raises(UserError, match="pip install uv"):
        under_test.find_uv()
    monkeypatch.setattr(shutil, "which", lambda name: f"/there/{name}")
    assert under_test.find_uv() == "/there/uv"


def test_a_worker_of_a_peer_that_is_not_installed_fails_with_the_command() -> None:
    with pytest.raises(WorkerFailedError, match="python -m bench peers --install jax"):
        start_worker({PEER: "jax"})


def test_a_peers_worker_has_its_own_python_and_our_code_behind_its_packages() -> None:
    """Played by this Python: its own NumPy is found first, and no MXNet is loaded."""
    folder = folder_of(JAX)
    (folder / "bin").mkdir(parents=True)
    python = folder / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (folder / READY).touch()
    worker = start_worker({PEER: "jax"})
    try:
        hello = worker.ask("hello")
        assert hello["mxnet"] is None
        assert hello["bench"] == str(under_test.ROOT / "bench" / "__init__.py")
        played = {"workload": "tests.peers_played:peer", "seed": 1}
        assert worker.ask("set_up", settings={}, **played)["images"] == 8
        assert worker.ask("round", iterations=2)["ns"] > 0
        worker.ask("tear_down")
        other = worker.ask("set_up", settings={"wrong": "another epsilon"}, **played)
        assert other["refused"].startswith("not the same work: after")
    finally:
        worker.end()


BARE = """
import importlib.util, sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in %r:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
import bench.worker.process, bench.workloads.peers.workload
"""


def test_a_worker_needs_no_package_that_a_peer_lacks() -> None:
    """Its environment has what its lock names, NumPy and msgspec of ours among it."""
    needs = tomllib.loads((under_test.ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    ours = {Requirement(need.partition("#")[0]).name for need in needs} - {"numpy", "msgspec"}
    done = subprocess.run(
        [sys.executable, "-c", BARE % (ours | {"mxnet"},)],
        cwd=under_test.ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_a_plain_install_brings_no_other_framework() -> None:
    """Nor what makes their environments: all that is an extra, or made on first use."""
    project = tomllib.loads((under_test.ROOT / "pyproject.toml").read_text())["project"]
    needs = [*project["dependencies"], *project["optional-dependencies"]["cpu"]]
    names = {Requirement(need.partition("#")[0]).name for need in needs}
    others = {"torch", "jax", "jaxlib", "optax", "onnx", "onnxruntime", "safetensors", "uv"}
    assert not names & others
    assert len(names) <= 20, names  # a new one is a choice, told in docs/dependencies.md


def test_every_lock_pins_every_package_and_the_framework_for_this_python() -> None:
    for peer in PEERS.values():
        lines = [line for line in peer.lock.read_text().splitlines() if not line.startswith("#")]
        for line in lines:
            assert str(Requirement(line).specifier).startswith("=="), line
        assert {"msgspec", "numpy", peer.package} <= {Requirement(line).name for line in lines}
        assert peer.version[0].isdigit()
    assert not [line for line in TORCH.lock.read_text().splitlines() if line.startswith(("nvidia", "triton"))]


def bench(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["peers", *arguments])
    return done.exit_code, done.output if done.exception is None else str(done.exception)


def test_the_command_lists_makes_and_removes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test, "_run", Made())
    assert "not installed" in bench()[1].splitlines()[1]
    assert bench("--install", "jax")[0] == 0
    listed = bench("--list")[1].splitlines()
    assert "GB in" in listed[1] and "not installed" in listed[0]
    older = cache("peers") / "jax-of-another-lock"
    older.mkdir()
    removed = bench("--remove")[1]
    assert str(folder_of(JAX)) in removed and str(older) in removed
    assert [path.name for path in cache("peers").iterdir()] == ["lock"]
    assert bench("--remove")[1] == "nothing was there\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--install", "jaxx"), "no peer is named 'jaxx'; did you mean jax?"),
        (("--install", "--remove"), "give one of them"),
        (("jax",), "names go with --install"),
    ],
)
def test_bad_input_is_told_in_one_line(arguments: tuple[str, ...], said: str) -> None:
    code, line = bench(*arguments)
    assert code != 0 and said in line and "\n" not in line
