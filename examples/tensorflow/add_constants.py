"""Program 1: the sum of two constants."""

import tensorflow as tf

a = tf.constant([[1, 2], [3, 4]], name="a")
b = tf.constant([[5, 6], [7, 8]], name="b")
c = a + b

print(f"a =\n{a.numpy()}\n")
print(f"b =\n{b.numpy()}\n")
print(f"c = a + b =\n{c.numpy()}")
