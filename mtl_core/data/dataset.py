"""Images and labels as they lie in memory, whatever they come from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Split:
    """One part of a data set."""

    images: Bytes  # (N, 28, 28), 0 to 255, light digits on black
    labels: Bytes  # (N,), 0 to 9


@dataclass(frozen=True)
class Dataset:
    """What is trained on and what is tested on."""

    name: str  # "mnist" or "synthetic"
    train: Split
    test: Split
    note: str | None = None  # one line for the user, such as why it is not the data asked for
