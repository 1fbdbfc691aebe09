"""One training step: record the forward pass, blend the losses, backward, Adam.

A step returns before it is done, since MXNet is asynchronous; it never synchronises by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mtl_core.config import Head, NetworkConfig, StepConfig
from mtl_core.network import MultiTaskNetwork
from mtl_core.platform.mxnet import mx

SMALLEST_NORMAL = np.float32(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class Snapshot:
    """A step's parameters and Adam's state, as copies; ``updates`` counts the steps taken."""

    parameters: tuple[Any, ...]
    state: tuple[Any, ...]
    updates: int


@dataclass(frozen=True)
class Forward:
    """What one forward pass gave; arrays still being computed, by head in the config's order."""

    outputs: tuple[Any, ...]  # raw scores, (B, units) each
    losses: tuple[Any, ...]  # (B,) each
    total: Any  # (B,): what backward starts from


class NetworkAndLosses(mx.gluon.HybridBlock):  # type: ignore[misc]  # MXNet has no types
    """From images (B, 784) and one label array (B,) a head to the blended loss.

    With both heads the blend is ``(1 - alpha) * digits + alpha * odd_even``; with one head the
    loss is that head's own. Returns outputs, losses and the blend as one flat tuple.
    """

    def __init__(self, network: MultiTaskNetwork, alpha: float) -> None:
        super().__init__()
        self.heads: tuple[Head, ...] = network.config.heads
        weights: dict[Head, float] = {"digits": 1.0 - alpha, "odd_even": alpha}
        self.weights = [weights[head] if len(self.heads) > 1 else 1.0 for head in self.heads]
        with self.name_scope():
            self.network = network
            self.digits_loss = mx.gluon.loss.SoftmaxCELoss()
            self.odd_even_loss = mx.gluon.loss.SigmoidBCELoss()

    def hybrid_forward(self, F: Any, images: Any, *labels: Any) -> tuple[Any, ...]:
        outputs = self.network(images)
        losses = [
            getattr(self, f"{head}_loss")(output, label)
            for head, output, label in zip(self.heads, outputs, labels, strict=True)
        ]
        if len(losses) == 1:
            return (*outputs, *losses, losses[0])
        total = losses[0] * self.weights[0] + losses[1] * self.weights[1]  # (B,)
        return (*outputs, *losses, total)


class TrainingStep:
    """A network, its losses and its optimizer on one device, ready to be stepped.

    ``config.mode`` says how much MXNet compiles into a graph: ``imperative`` nothing,
    ``hybridized`` the network, ``static`` the network with its memory planned once
    (``static_alloc`` and ``static_shape``), ``whole_graph`` the losses too.
    Parameters are drawn by Xavier from ``config.seed``.
    """

    def __init__(self, network: NetworkConfig, config: StepConfig, device: Any = None) -> None:
        self.device = device or mx.cpu()
        mx.random.seed(config.seed)
        self.network = MultiTaskNetwork(network)
        self.network.initialize(mx.init.Xavier(), ctx=self.device)
        self.model = NetworkAndLosses(self.network, config.alpha)
        if config.mode == "hybridized":
            self.network.hybridize()
        elif config.mode == "static":
            self.network.hybridize(static_alloc=True, static_shape=True)
        elif config.mode == "whole_graph":
            self.model.hybridize(static_alloc=True, static_shape=True)
        # A list keeps the network's order; from the dictionary Trainer would take them sorted by name.
        self.parameters = list(self.network.collect_params().values())
        self.trainer = mx.gluon.Trainer(self.parameters, "adam", {"learning_rate": config.learning_rate})

    def forward(self, images: Any, *labels: Any) -> Forward:
        """Outputs and losses; record the call to differentiate it."""
        results = self.model(images, *labels)
        heads = len(self.network.config.heads)
        return Forward(results[:heads], results[heads : 2 * heads], results[-1])

    def forward_backward(self, images: Any, *labels: Any) -> Forward:
        """Forward, then the gradients of the summed loss, left in the parameters' ``grad``."""
        with mx.autograd.record():
            forward = self.forward(images, *labels)
        forward.total.backward()
        return forward

    def __call__(self, images: Any, *labels: Any) -> Forward:
        """One whole step on images (B, 784) and labels (B,) in the order of the heads."""
        forward = self.forward_backward(images, *labels)
        self.trainer.step(images.shape[0])
        return forward

    def parameter_arrays(self) -> list[Any]:
        """The parameters' own arrays, in the order of the network: weight (units, inputs), bias (units,)."""
        return [parameter.data() for parameter in self.parameters]

    def gradient_arrays(self) -> list[Any]:
        """The gradients' own arrays, shaped and ordered as :meth:`parameter_arrays`."""
        return [parameter.grad() for parameter in self.parameters]

    def state_arrays(self) -> list[Any]:
        """Adam's own arrays: mean and variance of each parameter, in the order of the network.

        MXNet makes them at the first update; asked for earlier, they are made here, all zero.
        """
        updater, adam = self.trainer._updaters[0], self.trainer.optimizer
        for index, parameter in enumerate(self.parameters):
            if index not in updater.states:
                updater.states[index] = adam.create_state_multi_precision(index, parameter.data())
                updater.states_synced[index] = True
        return [array for index in range(len(self.parameters)) for array in updater.states[index]]

    def snapshot(self) -> Snapshot:
        """What :meth:`restore` returns to, also in a new step of the same network; before any step too."""
        copies = [
            tuple(a.copy() for a in arrays) for arrays in (self.parameter_arrays(), self.state_arrays())
        ]
        return Snapshot(copies[0], copies[1], self.trainer.optimizer.num_update)

    def restore(self, snapshot: Snapshot) -> None:
        """Return to the snapshot in place, so that every array keeps its address."""
        targets = self.parameter_arrays() + self.state_arrays()
        sources = snapshot.parameters + snapshot.state
        shapes = [[array.shape for array in arrays] for arrays in (targets, sources)]
        if shapes[0] != shapes[1]:
            raise ValueError(f"a snapshot of another network: arrays {shapes[1]}; expected {shapes[0]}")
        for target, source in zip(targets, sources, strict=True):
            source.copyto(target)
        adam = self.trainer.optimizer
        adam._set_current_context(self.device.device_id)  # Adam counts by device
        adam._index_update_count.update(dict.fromkeys(range(len(self.parameters)), snapshot.updates))
        adam.num_update = snapshot.updates


def denormal_share(step: TrainingStep) -> float:
    """The share of Adam's state that is denormal, 0 to 1; synchronises.

    Read from the bits, since flushed arithmetic takes a denormal for zero.
    """
    bits = [array.asnumpy().view(np.uint32).ravel() & 0x7FFFFFFF for array in step.state_arrays()]
    if not bits:
        return 0.0
    magnitude = np.concatenate(bits)
    smallest = int(SMALLEST_NORMAL.view(np.uint32))
    return float(np.mean((magnitude > 0) & (magnitude < smallest)))
