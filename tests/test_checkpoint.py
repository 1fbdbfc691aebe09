"""A checkpoint gives back what was saved, is never half written, and damage is told in one line."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtl_core.config import NetworkConfig, StepConfig, TrainConfig
from mtl_core.data.synthetic import draw_digits
from mtl_core.errors import UserError
from mtl_core.platform.mxnet import mx
from mtl_core.program import checkpoint
from mtl_core.program.checkpoint import Checkpoint
from mtl_core.program.training import EpochResult, LoaderName, Training
from mtl_core.step import TrainingStep

SPLIT = draw_digits(300)


def training(loader: LoaderName = "fast", workers: int = 0) -> Training:
    config = TrainConfig(epochs=4, batch_size=64, step=StepConfig(mode="whole_graph"))
    return Training(config, SPLIT, loader, workers, mx.cpu())


def taken(made: Training) -> Checkpoint:
    history, rolled_over = tuple(made.history), tuple(made.loader.rolled_over)
    return Checkpoint({"seed": 42}, history, rolled_over, made.step.snapshot())


def values(saved: Checkpoint) -> list[bytes]:
    arrays = saved.snapshot.parameters + saved.snapshot.state
    return [array.asnumpy().tobytes() for array in arrays]


def without_time(history: list[EpochResult]) -> list[dict[str, Any]]:
    return [{**vars(epoch), "duration_s": None} for epoch in history]


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a checkpoint after one epoch."""
    made, file = training(), tmp_path_factory.mktemp("made") / "run.npz"
    made.epoch()
    checkpoint.save(file, taken(made))
    return file.read_bytes()


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    made, file = training("tutorial"), tmp_path / "deep" / "run.npz"
    made.epoch()
    saved = taken(made)
    checkpoint.save(file, saved)
    loaded = checkpoint.load(file)
    assert values(loaded) == values(saved)
    assert (loaded.settings, loaded.history) == (saved.settings, saved.history)
    assert len(loaded.rolled_over) == 300 % 64
    assert loaded.rolled_over == saved.rolled_over
    assert loaded.snapshot.updates == saved.snapshot.updates == 300 // 64
    assert [path.name for path in file.parent.iterdir()] == ["run.npz"]


@pytest.mark.parametrize(("loader", "workers"), [("fast", 0), ("tutorial", 0), ("tutorial", 2)])
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path: Path, loader: LoaderName, workers: int) -> None:
    """To the last bit of parameters and Adam's state; 300 images roll over in batches of 64."""
    file = tmp_path / "run.npz"
    whole, first, second = (training(loader, workers) for _ in range(3))
    try:
        for _ in range(4):
            whole.epoch()
        for _ in range(2):
            first.epoch()
        checkpoint.save(file, taken(first))
        saved = checkpoint.load(file)
        second.resume(saved.snapshot, saved.history, saved.rolled_over)
        for _ in range(2):
            second.epoch()
        assert without_time(second.history) == without_time(whole.history)
        assert values(taken(second)) == values(taken(whole))
    finally:
        for made in (whole, first, second):
            made.close()


def test_a_loss_that_diverged_is_kept(tmp_path: Path) -> None:
    made, file = training(), tmp_path / "run.npz"
    made.history.append(EpochResult(0, 0.1, 0.5, float("nan"), float("inf"), 300, 1.0, 0.0))
    checkpoint.save(file, taken(made))
    (epoch,) = checkpoint.load(file).history
    assert np.isnan(epoch.digits_loss)
    assert epoch.odd_even_loss == float("inf")


def load(content: bytes, folder: Path) -> Checkpoint:
    file = folder / "run.npz"
    file.write_bytes(content)
    return checkpoint.load(file)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_cut_file_costs_one_line(content: bytes, tmp_path: Path, data: st.DataObject) -> None:
    length = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(UserError, match=r"run\.npz is no whole checkpoint"):
        load(content[:length], tmp_path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_byte_is_found_or_harmless(content: bytes, tmp_path: Path, data: st.DataObject) -> None:
    """Most in the last bytes, where the archive's directory is; dates in it may change without harm."""
    place = data.draw(st.integers(0, len(content) - 1) | st.integers(len(content) - 2500, len(content) - 1))
    changed = bytearray(content)
    changed[place] ^= data.draw(st.integers(1, 255))
    step = TrainingStep(NetworkConfig(), StepConfig())
    try:
        loaded = load(bytes(changed), tmp_path)
        checkpoint.check_network(tmp_path / "run.npz", loaded.snapshot, step)
    except UserError as error:
        assert "\n" not in str(error)
    else:
        assert values(loaded) == values(load(content, tmp_path))


@pytest.mark.parametrize(
    "foreign",
    [b"", b"# a text\n", b"\x80\x04K\x01.", b"PK\x05\x06" + bytes(18)],
    ids=["empty", "text", "pickle", "empty zip"],
)
def test_a_foreign_file_costs_one_line_without_numpys_advice(foreign: bytes, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no whole checkpoint") as caught:
        load(foreign, tmp_path)
    assert "pickle" not in str(caught.value)


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def about(**changes: Any) -> Any:
    made = {"format": 1, "updates": 0, "settings": {}, "history": [], "rolled_over": [], **changes}
    return np.frombuffer(json.dumps(made).encode(), np.uint8)


@pytest.mark.parametrize(
    ("foreign", "said"),
    [
        (npz(x=np.zeros(3)), "no whole checkpoint"),
        (npz(about=np.array([None], object)), "no whole checkpoint"),
        (npz(about=about(history=[{"epoch": 0}])), "no whole checkpoint"),
        (npz(about=about(updates=-1)), "no whole checkpoint"),
        (npz(about=about(), parameter_0=np.zeros(2, np.int64)), "no whole checkpoint"),
        (npz(about=about(format=2)), "another format; expected 1"),
    ],
)
def test_a_foreign_archive_costs_one_line(foreign: bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=said):
        load(foreign, tmp_path)


def test_an_array_that_belongs_to_no_series_is_refused(content: bytes, tmp_path: Path) -> None:
    """It would be lost when training goes on and writes the file anew."""
    members = dict(np.load(io.BytesIO(content)))
    np.savez(tmp_path / "run.npz", **members, parameter_99=np.array([-0.0], np.float32))
    with pytest.raises(UserError, match="no whole checkpoint"):
        checkpoint.load(tmp_path / "run.npz")


def test_another_network_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "run.npz"
    other = TrainingStep(NetworkConfig(trunk=(5,)), StepConfig())
    checkpoint.save(file, Checkpoint({}, (), (), other.snapshot()))
    ours = TrainingStep(NetworkConfig(), StepConfig())
    with pytest.raises(UserError, match=r"holds another network; expected the tutorial's"):
        checkpoint.check_network(file, checkpoint.load(file).snapshot, ours)


def test_an_interrupted_save_leaves_the_file_before(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "run.npz"
    file.write_bytes(content)

    def interrupted(target: Any, **_: Any) -> None:
        target.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", interrupted)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(file, taken(training()))
    assert file.read_bytes() == content
    assert list(tmp_path.iterdir()) == [file]


def test_settings_that_differ_are_named() -> None:
    then, now = {"alpha": 0.5, "epochs": 2, "seed": 1}, {"alpha": 0.3, "epochs": 9, "mode": "static"}
    assert checkpoint.differing(then, now) == [
        "alpha was 0.5, is 0.3",
        "mode was None, is 'static'",
        "seed was 1, is None",
    ]
    assert checkpoint.differing(then, {**then, "epochs": 3}) == []


def test_the_file_is_an_archive_of_plain_arrays(content: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = set(archive.namelist())
    assert {"about.npy", "parameter_0.npy", "parameter_9.npy", "state_19.npy"} <= names
    assert len(names) == 1 + 10 + 20
