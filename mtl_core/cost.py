"""What the network costs, by formula from its config; checked by a test against counted operations."""

from __future__ import annotations

from dataclasses import dataclass

from mtl_core.config import HEAD_UNITS, NetworkConfig

FLOAT_BYTES = 4  # float32
ADAM_MOMENTS = 2  # mean and variance of each gradient


@dataclass(frozen=True)
class Cost:
    """Sizes of the network, and floating-point operations for one image.

    Counted are the dense layers' products (a multiplication and an addition a weight) and their
    bias additions. Not counted are relu, losses and Adam, whose work is small beside them.
    """

    parameters: int
    parameter_bytes: int
    gradient_bytes: int
    optimizer_bytes: int
    forward_flop: int
    training_flop: int  # forward and backward


def layers(config: NetworkConfig) -> list[tuple[int, int]]:
    """(inputs, units) of every dense layer: the trunk in order, then each head."""
    sizes = (config.inputs, *config.trunk)
    trunk = list(zip(sizes, config.trunk, strict=False))
    return trunk + [(sizes[-1], HEAD_UNITS[head]) for head in config.heads]


def cost(config: NetworkConfig) -> Cost:
    """The cost of the network of ``config``.

    Backward needs, for each layer, the product for its weights' gradient and the sum for its
    bias's, and but for those that read the image itself the product for its input's gradient.
    """
    dense = layers(config)
    parameters = sum(inputs * units + units for inputs, units in dense)
    forward = sum(2 * inputs * units + units for inputs, units in dense)
    reads_image = 1 if config.trunk else len(dense)
    backward = sum(2 * inputs * units + units for inputs, units in dense)
    backward += sum(2 * inputs * units for inputs, units in dense[reads_image:])
    size = parameters * FLOAT_BYTES
    return Cost(parameters, size, size, ADAM_MOMENTS * size, forward, forward + backward)
