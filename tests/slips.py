"""Steps with the mistakes that the counting of work is there to find, for a real worker."""

from __future__ import annotations

from typing import Any

from bench.workloads.steps import StepWorkload
from mtl_core.platform.mxnet import mx


class Waits(StepWorkload):
    """Somebody looks at the loss: ``times`` in every ``every``-th step, by ``way``."""

    def __init__(self, *, way: str = "asnumpy", times: int = 1, every: int = 1, **settings: Any) -> None:
        super().__init__(**settings)
        self.taken = 0

        def call(*batch: Any) -> None:
            total = self.step(*batch).total
            self.taken += 1
            for _ in range(times if self.taken % every == 0 else 0):
                getattr(total, way)() if way != "waitall" else mx.nd.waitall()

        self.call = call


class Metric(StepWorkload):
    """The tutorial's loop: an accuracy updated after every step."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        metric = mx.metric.Accuracy()
        self.call = lambda *batch: metric.update(batch[1], self.step(*batch).outputs[0])


class NotHybridized(StepWorkload):
    """Hybridizing was lost on the way."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.step.model.hybridize(False)


class LossTwice(StepWorkload):
    """The digits' loss is evaluated once more than is needed."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        model = self.step.model
        forward = model.hybrid_forward

        def twice(namespace: Any, images: Any, *labels: Any) -> Any:
            results = forward(namespace, images, *labels)
            again = model.digits_loss(results[0], labels[0])
            return (*results[:-1], results[-1] + 0.0 * again)

        model.hybrid_forward = twice


class TracedAgain(StepWorkload):
    """Hybridized anew before every step."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)

        def call(*batch: Any) -> None:
            self.step.network.hybridize()
            self.step(*batch)

        self.call = call


class FromNumPy(StepWorkload):
    """The images are copied from NumPy in every step."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        images = next(self.batches)[0].asnumpy()
        self.call = lambda *batch: self.step(mx.nd.array(images), *batch[1:])


class CopiedTwice(StepWorkload):
    """The images go back from the device, and are copied to it again."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)

        def call(images: Any, *labels: Any) -> None:
            self.step(images.as_in_context(mx.cpu()).as_in_context(self.device), *labels)

        self.call = call
