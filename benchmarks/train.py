"""Softmax regression and matrix products by TensorFlow: `train.py import|serve`, in a lab or on the host.

`import` prints the seconds of `import tensorflow`. `serve` prints, for every line it is given, the seconds of a round
of training steps: the same numbers every time, after a round that does not count.
"""

import importlib
import sys
import time

_BATCH, _PIXELS, _DIGITS, _HIDDEN = 512, 784, 10, 512


def import_seconds() -> float:
    start = time.perf_counter()
    importlib.import_module("tensorflow")
    return time.perf_counter() - start


def serve(steps: int) -> None:
    tf = importlib.import_module("tensorflow")
    tf.random.set_seed(1)
    images = tf.random.normal((_BATCH, _PIXELS))
    labels = tf.one_hot(tf.random.uniform((_BATCH,), maxval=_DIGITS, dtype=tf.int32), _DIGITS)
    mix = tf.random.normal((_PIXELS, _HIDDEN)) / _PIXELS
    weights = tf.Variable(tf.zeros((_HIDDEN, _DIGITS)))
    bias = tf.Variable(tf.zeros((_DIGITS,)))

    def step() -> None:
        with tf.GradientTape() as tape:
            scores = tf.matmul(tf.tanh(tf.matmul(images, mix)), weights) + bias
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels, scores))
        for variable, gradient in zip((weights, bias), tape.gradient(loss, (weights, bias)), strict=True):
            variable.assign_sub(0.1 * gradient)

    compiled_step = tf.function(step)

    def run() -> float:
        start = time.perf_counter()
        for _ in range(steps):
            compiled_step()
        weights.numpy()  # all steps are done
        return time.perf_counter() - start

    run()
    for _ in sys.stdin:
        print(run(), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "import":
        print(import_seconds())
    else:
        serve(int(sys.argv[2]))
