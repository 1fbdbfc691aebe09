"""Which optional libraries are installed, and the command that would install the rest; imports none."""

from __future__ import annotations

from importlib.util import find_spec

EXTRA = "onnx"


def why_missing(*names: str) -> str | None:
    """One line naming what is not installed and the command that would; None where all of it is."""
    missing = [name for name in names if find_spec(name) is None]
    if not missing:
        return None
    verb = "is" if len(missing) == 1 else "are"
    return f"{' and '.join(missing)} {verb} not installed; pip install 'mtl-bench[{EXTRA}]' would"
