"""Softmax regression on handwritten digits: JAX finds the gradient and compiles the step.

The digits are the 1797 pictures of 8 x 8 points that come with scikit-learn: nothing is downloaded.
"""

import jax
import jax.numpy as jnp
from sklearn.datasets import load_digits

STEPS = 500
LEARNING_RATE = 1.0
TEST_SIZE = 297


def cross_entropy(parameters, images, labels):
    """How far the outputs are from the labels."""
    weights, bias = parameters
    return -jnp.mean(jnp.sum(jax.nn.log_softmax(images @ weights + bias) * labels, axis=1))


@jax.jit
def train(parameters, images, labels):
    """The parameters after one step of gradient descent."""
    gradients = jax.grad(cross_entropy)(parameters, images, labels)
    return jax.tree.map(lambda value, gradient: value - LEARNING_RATE * gradient, parameters, gradients)


@jax.jit
def measure(parameters, images, labels):
    """The share of right answers."""
    weights, bias = parameters
    return jnp.mean(jnp.argmax(images @ weights + bias, axis=1) == jnp.argmax(labels, axis=1))


def main(steps=STEPS):
    """Train, and give the accuracy on the test set."""
    digits = load_digits()
    order = jax.random.permutation(jax.random.key(0), len(digits.data))
    images = jnp.asarray(digits.data)[order] / 16
    labels = jax.nn.one_hot(jnp.asarray(digits.target), 10)[order]
    parameters = (jnp.zeros((64, 10)), jnp.zeros(10))
    for step in range(steps + 1):
        if step % 100 == 0:
            accuracy = measure(parameters, images[:TEST_SIZE], labels[:TEST_SIZE])
            print(f"step {step}: accuracy {accuracy:.4f}")
        parameters = train(parameters, images[TEST_SIZE:], labels[TEST_SIZE:])
    return float(accuracy)


if __name__ == "__main__":
    print(f"on {jax.devices()[0]}")
    main()
