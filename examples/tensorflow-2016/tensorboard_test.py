# -*- coding:utf-8 -*-
# Program 4: softmax regression, watched in TensorBoard. Summaries, writer and session are those that the slides show.
# Run make_data.py before (a new lab does it by itself): it writes the digits that are read here.
import tensorflow as tf


def inference(input_placeholder):
    with tf.name_scope('hidden_layer'):
        W = tf.Variable(tf.zeros([784, 10]), name='Weights')
        b = tf.Variable(tf.zeros([10]), name='bias')
        y = tf.nn.softmax(tf.matmul(input_placeholder, W) + b)
        # histograms of the variables
        tf.histogram_summary('Weights', W)
        tf.histogram_summary('bias', b)
        tf.histogram_summary('outputs', y)
    return y


def loss(output, labels_placeholder):
    with tf.name_scope('cross_entropy'):
        cross_entropy =\
            -tf.reduce_sum(labels_placeholder * tf.log(output))
        # the value of the node cross_entropy
        tf.scalar_summary('cross entropy', cross_entropy)
    return cross_entropy


def accuracy(labels_placeholder, output):
    with tf.name_scope('test'):
        is_correct = tf.equal(tf.argmax(output, 1), tf.argmax(labels_placeholder, 1))
        share = tf.reduce_mean(tf.cast(is_correct, tf.float32))
        tf.scalar_summary('accuracy', share)
    return share


def training(loss, learning_rate):
    with tf.name_scope('train'):
        return tf.train.GradientDescentOptimizer(learning_rate).minimize(loss)


if __name__ == '__main__':
    from tensorflow.examples.tutorials.mnist import input_data

    flags = tf.app.flags
    FLAGS = flags.FLAGS
    flags.DEFINE_integer('max_steps', 1000, 'How many steps to train.')
    flags.DEFINE_float('learning_rate', 0.01, 'The learning rate.')

    mnist = input_data.read_data_sets('/tmp/data/', one_hot=True)
    inputs_ph = tf.placeholder(tf.float32, [None, 784], name='inputs')
    labels_ph = tf.placeholder(tf.float32, [None, 10], name='labels')
    test_data = {inputs_ph: mnist.test.images, labels_ph: mnist.test.labels}

    with tf.Session() as sess:
        output = inference(inputs_ph)
        loss = loss(output, labels_ph)
        acc = accuracy(labels_ph, output)
        training_op = training(loss, FLAGS.learning_rate)
        # all summaries in one node
        merged = tf.merge_all_summaries()
        # what writes them to a file
        writer = tf.train.SummaryWriter('/tmp/mnist_logs', sess.graph)
        init = tf.initialize_all_variables()
        sess.run(init)

        for step in range(FLAGS.max_steps):
            if step % 10 == 0:
                summary, share = sess.run([merged, acc], feed_dict=test_data)
                writer.add_summary(summary, step)
                print 'Accuracy rate at step %s: %s' % (step, share)
            else:
                images, labels = mnist.train.next_batch(100)
                sess.run(training_op, feed_dict={inputs_ph: images, labels_ph: labels})
        writer.close()
