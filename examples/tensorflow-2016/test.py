# Program 1, as the slides show it (there `initialize_all_variables` has an l too many).
import tensorflow as tf
# The graph
a = tf.constant(
    [[1, 2], [3, 4]], name='a')
b = tf.constant(
    [[5, 6], [7, 8]], name='b')
c = a + b
# Its computation
with tf.Session() as sess:
    init = \
        tf.initialize_all_variables()
    sess.run(init)
    print 'a = \n%s\n' % sess.run(a)
    print 'b = \n%s\n' % sess.run(b)
    print 'c = a + b = \n%s\n' % \
        sess.run(c)
