"""Classic BPF programs over `struct seccomp_data`, the language of seccomp filters (linux/filter.h, seccomp(2)).

An instruction is a tuple (code, jump if true, jump if false, constant). Programs here are built from the inside
out: every piece ends in a return, so pieces are joined by relative jumps alone and need no labels.
"""

import struct
from typing import NamedTuple

Instruction = tuple[int, int, int, int]
Program = list[Instruction]

# struct seccomp_data: int nr; u32 arch; u64 instruction_pointer; u64 args[6]. All machines served are little-endian.
NUMBER_OFFSET = 0
ARCHITECTURE_OFFSET = 4
ARGUMENTS_OFFSET = 16

# linux/bpf_common.h
_LD_W_ABS = 0x20
_ALU_AND_K = 0x54
_JMP_JA = 0x05
_JMP_JEQ_K = 0x15
_JMP_JGT_K = 0x25
_JMP_JGE_K = 0x35
_RET_K = 0x06

_LONGEST_CONDITIONAL_JUMP = 255
_WORD = 0xFFFFFFFF
_WORD_BITS = 32

# Where a jump of a comparison leads: to the following instruction, behind the comparison, behind all that it guards.
_NEXT, _HOLDS, _FAILS = 0, -1, -2
_LOW_WORD = {
    "==": (_JMP_JEQ_K, _HOLDS, _FAILS),
    "!=": (_JMP_JEQ_K, _FAILS, _HOLDS),
    "<": (_JMP_JGE_K, _FAILS, _HOLDS),
    "<=": (_JMP_JGT_K, _FAILS, _HOLDS),
    ">": (_JMP_JGT_K, _HOLDS, _FAILS),
    ">=": (_JMP_JGE_K, _HOLDS, _FAILS),
}
_BELOW = ((_JMP_JGE_K, _NEXT, _HOLDS), (_JMP_JEQ_K, _NEXT, _FAILS))
_ABOVE = ((_JMP_JGT_K, _HOLDS, _NEXT), (_JMP_JEQ_K, _NEXT, _FAILS))
_HIGH_WORD = {
    "==": ((_JMP_JEQ_K, _NEXT, _FAILS),),
    "!=": ((_JMP_JEQ_K, _NEXT, _HOLDS),),
    "<": _BELOW,
    "<=": _BELOW,
    ">": _ABOVE,
    ">=": _ABOVE,
}


class Comparison(NamedTuple):
    """A claim about one argument of a call: `argument & mask` OPERATOR `value`, over its lower `bits` bits.

    Operators: `==`, `!=`, `<`, `<=`, `>`, `>=`.
    """

    argument: int
    operator: str
    value: int
    mask: int = 0xFFFFFFFFFFFFFFFF
    bits: int = 64


def encode(program: Program) -> bytes:
    """The program as the kernel reads it: an array of `struct sock_filter`."""
    pack = struct.Struct("=HBBI").pack
    return b"".join([pack(*instruction) for instruction in program])


def give(action: int) -> Program:
    """End with an action (SECCOMP_RET_*)."""
    return [(_RET_K, 0, 0, action)]


def load(offset: int) -> Instruction:
    """Load a 32-bit word of the call's data."""
    return (_LD_W_ABS, 0, 0, offset)


def if_equal(value: int, then: Program, otherwise: Program) -> Program:
    """Go on with `then` when the loaded word is `value`, else with `otherwise`; both end in a return."""
    return _branch(_JMP_JEQ_K, value, then, otherwise)


def if_at_least(value: int, then: Program, otherwise: Program) -> Program:
    """Go on with `then` when the loaded word, unsigned, is not below `value`; both end in a return."""
    return _branch(_JMP_JGE_K, value, then, otherwise)


def if_all(comparisons: tuple[Comparison, ...], then: Program, otherwise: Program) -> Program:
    """Go on with `then` when all comparisons hold, else with `otherwise`; both end in a return."""
    steps = [_steps(comparison) for comparison in comparisons]
    remaining = sum(map(len, steps)) + len(then)
    program: Program = []
    for piece in steps:
        for position, (code, if_true, if_false, value) in enumerate(piece):
            remaining -= 1
            distances = {_NEXT: 0, _HOLDS: len(piece) - position - 1, _FAILS: remaining}
            program.append((code, distances[if_true], distances[if_false], value))
    return [*program, *then, *otherwise]


def decide_by_number(ranges: list[tuple[int, Program]]) -> Program:
    """A binary search for the loaded word among ranges, each given by its first number and what to do in it.

    The ranges are in ascending order; the first begins at 0, the last has no end.
    """
    if len(ranges) == 1:
        return ranges[0][1]
    middle = len(ranges) // 2
    return if_at_least(ranges[middle][0], decide_by_number(ranges[middle:]), decide_by_number(ranges[:middle]))


def _branch(code: int, value: int, then: Program, otherwise: Program) -> Program:
    # The false side follows at once, the true side after it; a conditional jump reaches only 255 instructions.
    if len(otherwise) <= _LONGEST_CONDITIONAL_JUMP:
        return [(code, len(otherwise), 0, value), *otherwise, *then]
    return [(code, 0, 1, value), (_JMP_JA, 0, 0, len(otherwise)), *otherwise, *then]


def _steps(comparison: Comparison) -> list[Instruction]:
    """The instructions of one comparison, their jumps still by name: the upper word decides, else the lower one."""
    low_offset = ARGUMENTS_OFFSET + 8 * comparison.argument
    low = [
        *_load_masked(low_offset, comparison.mask & _WORD),
        (*_LOW_WORD[comparison.operator], comparison.value & _WORD),
    ]
    high_mask, high_value = comparison.mask >> 32, comparison.value >> 32
    if comparison.bits == _WORD_BITS or (high_mask == 0 and high_value == 0):
        return low
    decisions = [(*jump, high_value) for jump in _HIGH_WORD[comparison.operator]]
    return [*_load_masked(low_offset + 4, high_mask), *decisions, *low]


def _load_masked(offset: int, mask: int) -> Program:
    return [load(offset)] if mask == _WORD else [load(offset), (_ALU_AND_K, _NEXT, _NEXT, mask)]
