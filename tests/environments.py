"""Environments made for a test: with nothing in them but what is named, taken from this one by links."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

# And what MXNet itself asks for.
MXNET_AND_NUMPY = (
    *("mxnet", "numpy", "graphviz", "requests", "certifi", "charset-normalizer", "idna", "urllib3"),
    *(["setuptools"] if sys.version_info >= (3, 12) else []),
)


def environment(folder: Path, *distributions: str) -> Path:
    """The interpreter of a new environment that holds these distributions and no other."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for name in distributions:
        distribution = importlib.metadata.distribution(name)
        tops = {file.parts[0] for file in distribution.files or [] if file.parts[0] not in ("..", "/")}
        for top in tops:
            (site / top).symlink_to(Path(str(distribution.locate_file(top))).resolve())
    return folder / "bin" / "python"
