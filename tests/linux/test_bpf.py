"""BPF programs do what their builders say; an interpreter of the kernel's rules is the judge."""

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labbox.linux import bpf
from labbox.linux.bpf import Comparison
from linux.bpf_machine import run_program, seccomp_data

YES, NO = 1, 2
WORDS_64 = st.one_of(
    st.integers(0, 2**64 - 1),
    st.sampled_from([0, 1, 2**31, 2**32 - 1, 2**32, 2**32 + 1, 2**63, 2**64 - 1]),
)
OPERATORS = {
    "==": int.__eq__,
    "!=": int.__ne__,
    "<": int.__lt__,
    "<=": int.__le__,
    ">": int.__gt__,
    ">=": int.__ge__,
}


@given(
    index=st.integers(0, 5),
    operator=st.sampled_from(sorted(OPERATORS)),
    value=WORDS_64,
    mask=st.one_of(st.just(2**64 - 1), WORDS_64),
    argument=WORDS_64,
)
def test_a_comparison_of_64_bits_holds_exactly_when_the_numbers_do(
    index: int, operator: str, value: int, mask: int, argument: int
) -> None:
    program = bpf.if_all((Comparison(index, operator, value, mask=mask),), bpf.give(YES), bpf.give(NO))
    arguments = [0] * 6
    arguments[index] = argument
    expected = OPERATORS[operator](argument & mask, value)
    assert run_program(bpf.encode(program), seccomp_data(0, 0, arguments)) == (YES if expected else NO)


@given(value=st.integers(0, 2**32 - 1), argument=WORDS_64)
def test_a_comparison_of_32_bits_ignores_the_upper_word(value: int, argument: int) -> None:
    program = bpf.if_all((Comparison(2, "==", value, bits=32),), bpf.give(YES), bpf.give(NO))
    expected = argument & 0xFFFFFFFF == value
    assert run_program(bpf.encode(program), seccomp_data(0, 0, [0, 0, argument])) == (YES if expected else NO)


@given(arguments=st.lists(st.integers(0, 3), min_size=3, max_size=3))
def test_all_comparisons_must_hold(arguments: list[int]) -> None:
    comparisons = (Comparison(0, "==", 1), Comparison(1, "<", 2), Comparison(2, "!=", 3))
    program = bpf.if_all(comparisons, bpf.give(YES), bpf.give(NO))
    expected = arguments[0] == 1 and arguments[1] < 2 and arguments[2] != 3
    assert run_program(bpf.encode(program), seccomp_data(0, 0, arguments)) == (YES if expected else NO)


@given(starts=st.sets(st.integers(1, 2**32 - 1), max_size=600), number=st.integers(0, 2**32 - 1))
def test_a_search_finds_the_range_of_a_number_also_beyond_the_reach_of_one_jump(starts: set[int], number: int) -> None:
    bounds = [0, *sorted(starts), 2**32]
    ranges = [(first, bpf.give(index)) for index, first in enumerate(bounds[:-1])]
    program = [bpf.load(bpf.NUMBER_OFFSET), *bpf.decide_by_number(ranges)]
    expected = next(index for index, (low, high) in enumerate(pairwise(bounds)) if low <= number < high)
    assert run_program(bpf.encode(program), seccomp_data(number, 0, [])) == expected


@pytest.mark.parametrize("length", [255, 256, 300])
def test_a_branch_reaches_over_long_programs(length: int) -> None:
    filler = [bpf.load(0)] * (length - 1) + bpf.give(NO)
    program = [bpf.load(bpf.NUMBER_OFFSET), *bpf.if_equal(7, bpf.give(YES), filler)]
    assert run_program(bpf.encode(program), seccomp_data(7, 0, [])) == YES
    assert run_program(bpf.encode(program), seccomp_data(8, 0, [])) == NO


def test_an_instruction_is_encoded_as_the_kernel_lays_it_out() -> None:
    assert bpf.encode([(0x15, 1, 2, 0xC000003E)]) == struct.pack("=HBBI", 0x15, 1, 2, 0xC000003E)
