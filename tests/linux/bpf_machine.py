"""Classic BPF as the kernel runs it on a system call (net/core/filter.c), for what our programs use of it."""

import struct
from collections.abc import Sequence


def seccomp_data(number: int, architecture: int, arguments: Sequence[int]) -> bytes:
    """One `struct seccomp_data`; missing arguments are 0."""
    padded = [*arguments, *[0] * (6 - len(arguments))]
    return struct.pack("=IIQ6Q", number, architecture, 0, *padded)


def run_program(program: bytes, data: bytes) -> int:
    """The value a program returns for the data; fails on instructions and jumps the kernel would refuse."""
    instructions = list(struct.iter_unpack("=HBBI", program))
    accumulator = position = 0
    while True:
        code, if_true, if_false, constant = instructions[position]
        position += 1
        if code == 0x20:  # BPF_LD | BPF_W | BPF_ABS
            assert constant % 4 == 0
            assert constant < 64
            (accumulator,) = struct.unpack_from("=I", data, constant)
        elif code == 0x54:  # BPF_ALU | BPF_AND | BPF_K
            accumulator &= constant
        elif code == 0x05:  # BPF_JMP | BPF_JA
            position += constant
        elif code == 0x06:  # BPF_RET | BPF_K
            return int(constant)
        else:
            holds = {0x15: accumulator == constant, 0x25: accumulator > constant, 0x35: accumulator >= constant}[code]
            position += if_true if holds else if_false
