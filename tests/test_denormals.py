"""Flush-to-zero set before MXNet holds in MXNet's own threads, and can be undone.

Everything that touches the register runs in a process of its own, so that no other test sees it.
"""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from mtl_core.platform import denormals

REACHABLE = platform.libc_ver()[0] == "glibc" and platform.machine() in ("x86_64", "aarch64")
needs_register = pytest.mark.skipif(
    not REACHABLE, reason="denormals cannot be flushed here: needs glibc on x86-64 or aarch64"
)
# The product is printed as its bits, so that printing cannot flush it either.
MXNET_PRODUCT = """
from mtl_core.platform.mxnet import mx
import numpy as np
product = mx.nd.array(np.full(8, 1e-39, np.float32)) * 1.0
print(np.count_nonzero(product.asnumpy().view(np.uint32)))
"""


def run(code: str) -> list[str]:
    """The lines that ``code`` prints in a fresh interpreter."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1]


@needs_register
@pytest.mark.parametrize(("choice", "kept"), [("flush", "0"), ("keep", "8")])
def test_the_choice_made_before_mxnet_holds_in_its_threads(choice: str, kept: str) -> None:
    before = f"from mtl_core.platform import denormals\nassert denormals.apply({choice!r}) is None\n"
    assert run(before + MXNET_PRODUCT) == [kept]


@needs_register
def test_keep_undoes_flush_before_mxnet_starts_its_threads() -> None:
    before = "from mtl_core.platform import denormals\nassert denormals.flush()\nassert denormals.keep()\n"
    assert run(before + MXNET_PRODUCT) == ["8"]


@needs_register
def test_flush_and_keep_change_this_thread_at_once() -> None:
    code = (
        "from mtl_core.platform import denormals\ntiny = float('5e-324')\n"
        "def product(): print(tiny * float('1') != 0)\n"
        "product()\nassert denormals.flush()\nproduct()\nassert denormals.keep()\nproduct()\n"
    )
    assert run(code) == ["True", "False", "True"]


@needs_register
def test_the_share_of_denormals_is_counted_although_they_are_flushed() -> None:
    code = (
        "from mtl_core.platform import denormals\nassert denormals.flush()\n"
        "import numpy as np\nfrom mtl_core.platform.mxnet import mx\n"
        "from mtl_core.config import NetworkConfig, StepConfig\n"
        "from mtl_core.step import TrainingStep, denormal_share\n"
        "step = TrainingStep(NetworkConfig(inputs=4, trunk=(), heads=('odd_even',)), StepConfig())\n"
        "bits = np.array([[1, 0, 0x800000, 0]], dtype=np.uint32)\n"
        "mx.nd.array(bits.view(np.float32)).copyto(step.state_arrays()[0])\n"
        "print(denormal_share(step))\n"
    )
    assert run(code) == ["0.1"]


def test_an_unknown_platform_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    line = denormals.apply("flush")
    assert line is not None
    assert "riscv64" in line
    assert "they are kept" in line
    assert "\n" not in line
    assert not denormals.flush()
    assert not denormals.keep()


def test_another_c_library_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert denormals.apply("flush") is not None


def test_keeping_needs_nothing_of_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert denormals.apply("keep") is None
