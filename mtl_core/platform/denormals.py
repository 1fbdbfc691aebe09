"""Flush-to-zero for the process: denormal numbers can slow the tutorial's own training down.

A dead unit or a pixel that is always zero leaves a first moment in Adam that decays by 0.9 a step
and sticks at the smallest denormals: a tenth of the state after two epochs. What a denormal costs is
the CPU's matter: some handle it in microcode, many times slower, others nearly as any number
(docs/tutorial.md has both). MXNet 1.9.1 has no switch.
The floating-point control register is per thread and inherited by threads started later, so it is
set before MXNet is imported. No compiler is needed: glibc's ``fegetenv`` and ``fesetenv`` carry it.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import platform
from collections.abc import Callable
from typing import Literal, NamedTuple

Denormals = Literal["keep", "flush"]


class _Register(NamedTuple):
    """Where the control register lies in glibc's ``fenv_t``, and the bits that flush denormals."""

    fenv_bytes: int
    offset: int
    bits: int


# x86-64: MXCSR, flush-to-zero (bit 15) and denormals-are-zero (bit 6). aarch64: FPCR, FZ (bit 24).
_REGISTERS = {
    "x86_64": _Register(fenv_bytes=32, offset=28, bits=0x8040),
    "aarch64": _Register(fenv_bytes=8, offset=0, bits=1 << 24),
}


def _register() -> _Register | None:
    return _REGISTERS.get(platform.machine()) if platform.libc_ver()[0] == "glibc" else None


def _change(update: Callable[[int, int], int]) -> bool:
    """Apply ``update(word, bits)`` to the control register; False where there is no way to reach it."""
    register = _register()
    if register is None:
        return False
    libm = ctypes.CDLL(ctypes.util.find_library("m") or "libm.so.6")
    fenv = (ctypes.c_ubyte * register.fenv_bytes)()
    word = ctypes.c_uint32.from_buffer(fenv, register.offset)
    if libm.fegetenv(fenv) != 0:
        return False
    word.value = update(word.value, register.bits)
    return bool(libm.fesetenv(fenv) == 0)


def possible() -> bool:
    """Whether :func:`flush` can do anything here."""
    return _register() is not None


def flush() -> bool:
    """Make this thread, and those it starts from now on, treat denormals as zero.

    Returns False where the platform offers no way to do it; nothing has changed then.
    """
    return _change(lambda word, bits: word | bits)


def keep() -> bool:
    """Undo :func:`flush` for this thread and those it starts from now on."""
    return _change(lambda word, bits: word & ~bits)


def why_not() -> str:
    """Why :func:`flush` did nothing."""
    return (
        f"denormals cannot be flushed on {platform.system()} {platform.machine()} "
        "(needs glibc on x86-64 or aarch64)"
    )


def apply(choice: Denormals) -> str | None:
    """Set the choice before MXNet starts its threads; one line for the user where it cannot be had."""
    if choice == "keep" or flush():
        return None
    return f"{why_not()}: they are kept, which on some CPUs slows training down"
