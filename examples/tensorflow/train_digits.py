"""Program 4: softmax regression on handwritten digits by gradient descent, watched in TensorBoard.

The digits are the 1797 pictures of 8 x 8 points that come with scikit-learn: nothing is downloaded.
"""

import time

import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

STEPS = 1000
LEARNING_RATE = 0.01
BATCH_SIZE = 100
TEST_SIZE = 297


class SoftmaxRegression(tf.Module):
    """One layer: the probabilities of the ten digits."""

    def __init__(self, inputs, outputs):
        super().__init__(name="softmax_regression")
        self.weights = tf.Variable(tf.zeros([inputs, outputs]), name="weights")
        self.bias = tf.Variable(tf.zeros([outputs]), name="bias")

    @tf.function
    def predict(self, images):
        with tf.name_scope("hidden_layer"):
            return tf.nn.softmax(tf.matmul(images, self.weights) + self.bias, name="outputs")

    @tf.function
    def measure(self, images, labels):
        """The outputs, the cross entropy and the accuracy."""
        outputs = self.predict(images)
        with tf.name_scope("cross_entropy"):
            cross_entropy = -tf.reduce_sum(labels * tf.math.log(tf.maximum(outputs, 1e-10)))
        with tf.name_scope("test"):
            is_correct = tf.equal(tf.argmax(outputs, 1), tf.argmax(labels, 1))
            accuracy = tf.reduce_mean(tf.cast(is_correct, tf.float32))
        return outputs, cross_entropy, accuracy

    @tf.function
    def train(self, images, labels):
        """One step of gradient descent."""
        with tf.GradientTape() as tape:
            _, cross_entropy, _ = self.measure(images, labels)
        with tf.name_scope("train"):
            variables = [self.weights, self.bias]
            for variable, gradient in zip(variables, tape.gradient(cross_entropy, variables)):
                variable.assign_sub(LEARNING_RATE * gradient)


def load_data(seed=0):
    """Pictures (0 to 1) and labels (one-hot): those to learn from, then those to test with."""
    digits = load_digits()
    order = np.random.default_rng(seed).permutation(len(digits.data))
    images = (digits.data[order] / 16.0).astype("float32")
    labels = np.eye(10, dtype="float32")[digits.target[order]]
    return (images[TEST_SIZE:], labels[TEST_SIZE:]), (images[:TEST_SIZE], labels[:TEST_SIZE])


def main(log_folder="logs", steps=STEPS):
    """Train, write what TensorBoard shows, and give the last accuracy on the test set."""
    (train_images, train_labels), (test_images, test_labels) = load_data()
    model = SoftmaxRegression(train_images.shape[1], train_labels.shape[1])
    writer = tf.summary.create_file_writer(f"{log_folder}/{time.strftime('%Y-%m-%d_%H-%M-%S')}")
    batches = np.random.default_rng(1)
    accuracy = 0.0
    with writer.as_default():
        tf.summary.graph(model.measure.get_concrete_function(test_images, test_labels).graph)
        for step in range(steps):
            if step % 10 == 0:
                outputs, cross_entropy, accuracy = model.measure(test_images, test_labels)
                tf.summary.histogram("Weights", model.weights, step=step)
                tf.summary.histogram("bias", model.bias, step=step)
                tf.summary.histogram("outputs", outputs, step=step)
                tf.summary.scalar("cross entropy", cross_entropy, step=step)
                tf.summary.scalar("accuracy", accuracy, step=step)
                print(f"Accuracy rate at step {step}: {accuracy:.4f}")
            chosen = batches.integers(len(train_images), size=BATCH_SIZE)
            model.train(train_images[chosen], train_labels[chosen])
    writer.close()
    return float(accuracy)


if __name__ == "__main__":
    main()
