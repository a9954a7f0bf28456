# -*- coding:utf-8 -*-
"""Write digits.csv.gz as MNIST's four files to /tmp/data (or the folder that is named), for Python 2 and 3.

The digits are scikit-learn's: 1797 pictures of 8 x 8 points, 0 to 16 (Alpaydin and Kaynak, Optical Recognition of
Handwritten Digits, UCI Machine Learning Repository, CC BY 4.0). They become 28 x 28 points, 0 to 255: each point three
by three, and a margin of two. Those to learn from are there five times, four of them moved by one point, because the
reader of 2016 sets 5000 pictures aside.
"""
import gzip
import os
import struct
import sys

TEST_SIZE = 297
MOVES = ((0, 0), (0, 1), (1, 0), (0, -1), (-1, 0))
HERE = os.path.dirname(os.path.abspath(__file__))


def read_digits():
    """Every picture as its 64 points, with its digit."""
    digits = []
    with gzip.open(os.path.join(HERE, 'digits.csv.gz'), 'rb') as lines:
        for line in lines:
            numbers = [int(float(number)) for number in line.decode('ascii').split(',')]
            digits.append((numbers[:64], numbers[64]))
    return digits


def enlarge(points, down, right):
    """A picture of 28 x 28 bytes, moved from the middle by so many points."""
    picture = bytearray(28 * 28)
    for row in range(24):
        for column in range(24):
            value = points[row // 3 * 8 + column // 3]
            picture[(row + 2 + down) * 28 + column + 2 + right] = min(value * 16, 255)
    return bytes(picture)


def write_idx(folder, name, sizes, data):
    """A file as http://yann.lecun.com/exdb/mnist describes it."""
    magic = 0x800 + len(sizes)
    with gzip.open(os.path.join(folder, name), 'wb') as target:
        target.write(struct.pack('>%dI' % (1 + len(sizes)), magic, *sizes))
        target.write(data)


def write_set(folder, name, digits, moves):
    """Pictures and labels of one set."""
    pictures = [enlarge(points, down, right) for down, right in moves for points, _ in digits]
    labels = bytearray(digit for _ in moves for _, digit in digits)
    write_idx(folder, name + '-images-idx3-ubyte.gz', (len(pictures), 28, 28), b''.join(pictures))
    write_idx(folder, name + '-labels-idx1-ubyte.gz', (len(labels),), bytes(labels))


def main(folder):
    if not os.path.isdir(folder):
        os.makedirs(folder)
    digits = read_digits()
    write_set(folder, 'train', digits[TEST_SIZE:], MOVES)
    write_set(folder, 't10k', digits[:TEST_SIZE], MOVES[:1])
    print('%d digits are in %s' % (len(digits), folder))


if __name__ == '__main__':
    main(sys.argv[1] if len(sys.argv) > 1 else '/tmp/data')
