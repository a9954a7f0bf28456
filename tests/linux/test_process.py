"""Processes as the kernel and Python have them."""

import subprocess
import sys

import pytest

# Something that Python runs around every fork, as the module logging does; the interrupt arrives in it.
PROGRAM = """
import os, signal
from labbox.linux.process import fork
os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), signal.SIGINT))
try:
    if {call} == 0:
        os._exit(0)
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize(("call", "said"), [("fork()", "interrupted\n"), ("os.fork()", "")])
def test_an_interrupt_around_a_fork_is_not_lost(call: str, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(call=call)], check=False, capture_output=True, text=True, timeout=30
    )

    assert done.stdout == said
