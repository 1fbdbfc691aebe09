"""An image captioner with a classifier beside it, on synthetic pictures and captions.

After Zhao et al., "A Multi-task Learning Approach for Image Captioning", IJCAI 2018: the classifier makes the
shared picture encoder learn what the caption has to name. Run as a program it trains both heads and reads
captions of combinations that it has never seen:

    python docs/examples/captioner.py
    python -m bench run heads --network captioner:task
"""

from itertools import product

import mtl_core.platform.mxnet  # noqa: F401  # first: it lets MXNet load beside today's NumPy
import numpy as np
from mxnet import autograd, gluon, nd
from mxnet.gluon import nn

from mtl_core.task import Task

COLOURS = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1), "yellow": (1, 1, 0), "white": (1, 1, 1)}
KINDS = ("square", "frame", "cross", "bar", "column")
PLACES = {"top left": (1, 1), "top right": (1, 9), "bottom left": (9, 1), "bottom right": (9, 9)}
WORDS = ("<start>", "a", *COLOURS, *KINDS, "at", "top", "bottom", "left", "right", "<end>")
COMBINATIONS = list(product(COLOURS, KINDS, PLACES))
UNSEEN = COMBINATIONS[::7]  # every colour, kind and place is seen, these 15 together are not
SEEN = [combination for combination in COMBINATIONS if combination not in UNSEEN]
SIDE, LENGTH = 16, 7  # pixels; words of a caption and its end
HEADS = ("caption", "kind")


class Captioner(gluon.HybridBlock):
    """Pictures (B, 3, 16, 16) and words so far (B, T); scores of words (B, T, words) and kinds (B, 5)."""

    def __init__(self, heads=HEADS):
        super().__init__()
        self.heads = heads
        with self.name_scope():
            self.encoder = nn.HybridSequential()
            self.encoder.add(
                nn.Conv2D(16, 3, strides=2, padding=1, activation="relu"),
                nn.Conv2D(32, 3, strides=2, padding=1, activation="relu"),
                nn.Flatten(),
                nn.Dense(64, activation="relu"),
            )
            if "caption" in heads:
                self.words = nn.Embedding(len(WORDS), 32)
                self.decoder = gluon.rnn.GRU(64, layout="NTC")
                self.next_word = nn.Dense(len(WORDS), flatten=False)
            if "kind" in heads:
                self.kind = nn.Dense(len(KINDS))

    def hybrid_forward(self, F, pictures, words):
        seen = self.encoder(pictures)
        outputs = []
        if "caption" in self.heads:
            read = self.words(words)
            beside = F.broadcast_like(seen.expand_dims(1), read, lhs_axes=(1,), rhs_axes=(1,))
            outputs.append(self.next_word(self.decoder(F.concat(read, beside, dim=2))))
        if "kind" in self.heads:
            outputs.append(self.kind(seen))
        return tuple(outputs)


def caption(combination):
    """``a red cross at top left``, as numbers of words, with start and end."""
    colour, kind, place = combination
    words = ["<start>", "a", colour, kind, "at", *place.split(), "<end>"]
    return [WORDS.index(word) for word in words]


def picture(combination, rng):
    """The combination drawn, a pixel or two off its place, with noise: (3, 16, 16)."""
    colour, kind, place = combination
    shape = np.zeros((6, 6))
    if kind == "cross":
        shape[2:4] = shape[:, 2:4] = 1
    elif kind == "bar":
        shape[2:4] = 1
    elif kind == "column":
        shape[:, 2:4] = 1
    else:
        shape[:] = 1
        shape[1:5, 1:5] = kind == "square"
    y, x = np.array(PLACES[place]) + rng.integers(-1, 1, 2)
    drawn = np.zeros((3, SIDE, SIDE))
    drawn[:, y : y + 6, x : x + 6] = np.array(COLOURS[colour])[:, None, None] * shape
    return drawn + rng.normal(0, 0.1, drawn.shape)


def batch(size, rng, combinations=SEEN):
    """Pictures with the words before each word, and what each head is to say."""
    chosen = [combinations[n] for n in rng.integers(0, len(combinations), size)]
    words = np.array([caption(combination) for combination in chosen])
    pictures = np.array([picture(combination, rng) for combination in chosen])
    kinds = np.array([KINDS.index(kind) for _, kind, _ in chosen])
    return (pictures, words[:, :-1]), {"caption": words[:, 1:], "kind": kinds}


def task(heads=None):
    """Both heads, or one."""
    chosen = tuple(head for head in HEADS if heads is None or head in heads)
    return Task(
        network=Captioner(chosen),
        losses={head: gluon.loss.SoftmaxCELoss() for head in chosen},
        weights={"caption": 1.0, "kind": 0.2} if len(chosen) == 2 else None,
        batch=batch,
        optimizer=("adam", {"learning_rate": 3e-3}),
    )


def trained(steps=400, size=64):
    """The network after so many steps; written out here as a user of Gluon trains it."""
    declared = task()
    rng = np.random.default_rng(1)
    network = declared.network
    network.initialize()
    network.hybridize()
    trainer = gluon.Trainer(network.collect_params(), *declared.optimizer)
    for _ in range(steps):
        inputs, labels = batch(size, rng)
        with autograd.record():
            outputs = network(*(nd.array(array) for array in inputs))
            losses = [
                declared.weights[head] * declared.losses[head](output, nd.array(labels[head]))
                for head, output in zip(HEADS, outputs)
            ]
            total = losses[0] + losses[1]
        total.backward()
        trainer.step(size)
    return network


def read(network, pictures):
    """The likeliest word after word: captions (B, 7) and kinds (B,)."""
    words = np.zeros((len(pictures), 1))
    for _ in range(LENGTH):
        scores, kinds = network(nd.array(pictures), nd.array(words))
        words = np.concatenate([words, scores[:, -1].argmax(axis=1).asnumpy()[:, None]], axis=1)
    return words[:, 1:].astype(int), kinds.argmax(axis=1).asnumpy().astype(int)


def scores(network, size=300):
    """Shares right on combinations never seen: whole captions, kinds, the most frequent caption."""
    (pictures, _), labels = batch(size, np.random.default_rng(2), UNSEEN)
    captions, kinds = read(network, pictures)
    exact = float(np.mean(np.all(captions == labels["caption"], axis=1)))
    _, seen = batch(2000, np.random.default_rng(3))
    every, counts = np.unique(seen["caption"], axis=0, return_counts=True)
    guessed = float(np.mean(np.all(every[counts.argmax()] == labels["caption"], axis=1)))
    return exact, float(np.mean(kinds == labels["kind"])), guessed


def main():
    """Train, and tell how well it reads what it has never seen."""
    exact, kind, guessed = scores(trained())
    print(f"combinations never seen: captions exact {exact:.1%}, kind {kind:.1%}; ", end="")
    print(f"guessing the most frequent caption {guessed:.1%}")


if __name__ == "__main__":
    main()
