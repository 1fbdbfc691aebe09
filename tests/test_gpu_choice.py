"""The choice between CPU and GPU, against an NVML played in Python behind the real ctypes calls."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mtl_core.errors import UserError
from mtl_core.platform.gpu_choice import (
    NVML,
    Choice,
    Gpu,
    NoDriverError,
    ask_nvml,
    choose,
    default_device,
    visible,
)

NOT_FOUND, UNKNOWN_ERROR, NOT_SUPPORTED = 6, 999, 3  # nvmlReturn_t


@dataclass(frozen=True)
class Card:
    """What the played driver tells of one GPU; ``mig`` counts instances, None where MIG is off."""

    name: str
    capability: tuple[int, int]
    mig: int | None = None


class PlayedNvml:
    """Answers the calls of :func:`ask_nvml` as the C library would, through the same pointers."""

    def __init__(self, *cards: Card, failing: str = "", without: str = "") -> None:
        self.cards = cards
        self.failing = failing
        self.without = without
        self.open = 0

    def load(self, name: str) -> PlayedNvml:
        assert name == NVML
        return self

    def __getattr__(self, function: str) -> Any:
        if function == self.without:
            raise AttributeError(f"undefined symbol: {function}")
        answer = {
            "nvmlInit_v2": self.init,
            "nvmlShutdown": self.shutdown,
            "nvmlDeviceGetCount_v2": self.count,
            "nvmlDeviceGetHandleByIndex_v2": self.handle,
            "nvmlDeviceGetName": self.name_of,
            "nvmlDeviceGetCudaComputeCapability": self.capability,
            "nvmlDeviceGetMigMode": self.mig_mode,
            "nvmlDeviceGetMaxMigDeviceCount": self.most_mig,
            "nvmlDeviceGetMigDeviceHandleByIndex": self.mig_handle,
        }[function]
        return (lambda *_: UNKNOWN_ERROR) if function == self.failing else answer

    def card(self, device: ctypes.c_void_p) -> Card:
        return self.cards[(device.value or 0) - 1]

    def init(self) -> int:
        self.open += 1
        return 0

    def shutdown(self) -> int:
        self.open -= 1
        return 0

    def count(self, count: Any) -> int:
        count._obj.value = len(self.cards)
        return 0

    def handle(self, index: ctypes.c_uint, device: Any) -> int:
        device._obj.value = index.value + 1  # a null pointer is no device
        return 0

    def name_of(self, device: ctypes.c_void_p, name: Any, length: ctypes.c_uint) -> int:
        name.value = self.card(device).name.encode()[: length.value - 1]
        return 0

    def capability(self, device: ctypes.c_void_p, major: Any, minor: Any) -> int:
        major._obj.value, minor._obj.value = self.card(device).capability
        return 0

    def mig_mode(self, device: ctypes.c_void_p, on: Any, pending: Any) -> int:
        if self.card(device).capability[0] < 8:
            return NOT_SUPPORTED
        on._obj.value = pending._obj.value = self.card(device).mig is not None
        return 0

    def most_mig(self, _device: ctypes.c_void_p, most: Any) -> int:
        most._obj.value = 7
        return 0

    def mig_handle(self, device: ctypes.c_void_p, index: ctypes.c_uint, _instance: Any) -> int:
        return 0 if index.value < (self.card(device).mig or 0) else NOT_FOUND


A100, H200 = Card("NVIDIA A100-SXM4-80GB", (8, 0)), Card("NVIDIA H200", (9, 0))
K80, L4, T4 = Card("Tesla K80", (3, 7)), Card("NVIDIA L4", (8, 9)), Card("Tesla T4", (7, 5))


@pytest.fixture(autouse=True)
def no_choice_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MTL_DEVICE", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)


def chosen(nvml: PlayedNvml) -> Choice:
    choice = choose(lambda: ask_nvml(nvml.load))
    assert nvml.open == 0, "NVML is left open"
    return choice


def no_library(name: str) -> Any:
    raise OSError(f"{name}: cannot open shared object file: No such file or directory")


@pytest.mark.parametrize("card", [Card("Maxwell", (5, 0)), T4, A100, L4], ids=lambda card: card.name)
def test_a_gpu_that_mxnet_has_machine_code_for_is_taken(card: Card) -> None:
    assert chosen(PlayedNvml(card)) == Choice("gpu", ("gpu(0)",), f"{card.name}: GPU")


def test_hopper_has_no_machine_code() -> None:
    reason = "NVIDIA H200 is compute capability 9.0; the last MXNet has no machine code for it: CPU"
    assert chosen(PlayedNvml(H200)) == Choice("cpu", (), reason, ("NVIDIA H200",))


def test_kepler_has_no_machine_code() -> None:
    assert chosen(PlayedNvml(K80)).extra == "cpu"
    assert "Tesla K80 is compute capability 3.7" in chosen(PlayedNvml(K80)).reason


def test_of_several_the_usable_ones_keep_their_number() -> None:
    choice = chosen(PlayedNvml(H200, T4, K80, A100))
    assert choice == Choice("gpu", ("gpu(1)", "gpu(3)"), "Tesla T4, NVIDIA A100-SXM4-80GB: GPU")


def test_of_several_unusable_ones_each_is_told() -> None:
    reason = chosen(PlayedNvml(H200, K80)).reason
    assert "NVIDIA H200 is compute capability 9.0" in reason
    assert "Tesla K80 is compute capability 3.7" in reason
    assert "\n" not in reason


def test_a_driver_without_gpus() -> None:
    assert chosen(PlayedNvml()) == Choice("cpu", (), "the driver reports no GPU: CPU")


def test_no_driver() -> None:
    choice = choose(lambda: ask_nvml(no_library))
    assert choice == Choice("cpu", (), "no NVIDIA driver: CPU")


@pytest.mark.parametrize(
    "function",
    [
        "nvmlInit_v2",
        "nvmlDeviceGetCount_v2",
        "nvmlDeviceGetHandleByIndex_v2",
        "nvmlDeviceGetName",
        "nvmlDeviceGetCudaComputeCapability",
    ],
)
def test_a_driver_that_answers_with_an_error_is_named_with_its_code(function: str) -> None:
    choice = chosen(PlayedNvml(A100, failing=function))
    assert choice.extra == "cpu"
    assert choice.reason == f"the NVIDIA driver does not answer ({function} returned {UNKNOWN_ERROR}): CPU"


def test_a_driver_without_the_functions_asked_for_is_too_old() -> None:
    with pytest.raises(NoDriverError, match=r"too old.*nvmlInit_v2"):
        ask_nvml(PlayedNvml(A100, without="nvmlInit_v2").load)


def test_a_driver_from_before_mig_still_tells_its_gpus() -> None:
    assert ask_nvml(PlayedNvml(T4, without="nvmlDeviceGetMigMode").load) == [Gpu("Tesla T4", None)]


def test_a_split_gpu_without_an_instance_has_nothing_to_compute_on() -> None:
    choice = chosen(PlayedNvml(Card("NVIDIA A100", (8, 0), mig=0)))
    assert choice == Choice("cpu", (), "NVIDIA A100 is in MIG mode without an instance: CPU")


def test_a_split_gpu_with_instances_is_one_device() -> None:
    assert chosen(PlayedNvml(Card("NVIDIA A100", (8, 0), mig=2))).devices == ("gpu(0)",)


@pytest.mark.parametrize(
    ("told", "seen"),
    [
        ("0", ["NVIDIA H200"]),
        ("2,0", ["NVIDIA L4", "NVIDIA H200"]),
        (" 1, 2", ["Tesla T4", "NVIDIA L4"]),
        ("1,7,2", ["Tesla T4"]),
        ("-1", []),
        ("", []),
        ("GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", ["NVIDIA H200", "Tesla T4", "NVIDIA L4"]),
    ],
)
def test_cuda_numbers_only_what_it_is_shown(
    monkeypatch: pytest.MonkeyPatch, told: str, seen: list[str]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", told)
    gpus = visible(ask_nvml(PlayedNvml(H200, T4, L4).load))
    assert [gpu.name for gpu in gpus] == seen


def test_a_shown_gpu_has_the_number_that_cuda_gives_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,0")
    assert chosen(PlayedNvml(H200, T4, L4)) == Choice("gpu", ("gpu(0)",), "NVIDIA L4: GPU")


def test_hidden_gpus_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert chosen(PlayedNvml(A100)).reason == "CUDA_VISIBLE_DEVICES hides every GPU: CPU"


def test_by_hand_cpu_asks_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MTL_DEVICE", "cpu")
    assert choose(lambda: pytest.fail("asked")) == Choice("cpu", (), "MTL_DEVICE=cpu: CPU")


def test_by_hand_gpu_installs_the_gpu_build_and_says_what_stands_against_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MTL_DEVICE", "gpu")
    choice = choose(lambda: ask_nvml(no_library))
    assert choice == Choice("gpu", (), "MTL_DEVICE=gpu, though no NVIDIA driver: GPU")
    assert chosen(PlayedNvml(T4)).devices == ("gpu(0)",)


def test_by_hand_anything_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MTL_DEVICE", "cuda")
    with pytest.raises(UserError, match=r'MTL_DEVICE is "cuda".*"cpu" or "gpu"'):
        choose(list)


@pytest.mark.parametrize(
    ("gpu_build", "cards", "device"),
    [
        (True, (H200, T4), "gpu(1)"),
        (True, (H200,), "cpu"),
        (True, (), "cpu"),
        (False, (T4,), "cpu"),
    ],
)
def test_a_gpu_is_the_default_where_build_and_driver_have_one(
    monkeypatch: pytest.MonkeyPatch, gpu_build: bool, cards: tuple[Card, ...], device: str
) -> None:
    monkeypatch.setattr("mtl_core.platform.gpu_choice.is_gpu_build", lambda: gpu_build)
    assert default_device(lambda: ask_nvml(PlayedNvml(*cards).load)) == device


def test_this_machine_is_told_in_one_line() -> None:
    choice = choose()
    assert choice.extra in ("cpu", "gpu")
    assert choice.reason.endswith((": CPU", ": GPU"))
    assert "\n" not in choice.reason


def test_it_needs_the_standard_library_only() -> None:
    """Nox loads it in an environment that has none of the project's dependencies."""
    root = Path(__file__).parent.parent
    code = f"import sys; sys.path.insert(0, {str(root)!r}); import mtl_core.platform.gpu_choice"
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)
