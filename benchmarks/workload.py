"""Work that prints its seconds: `workload.py numbers|calls`. Runs by itself, in containers and on the host."""

import os
import sys
import time


def numbers() -> None:
    """Floating-point arithmetic in the interpreter: no system calls."""
    position, velocity = 1.0, 0.0
    for _ in range(5_000_000):
        velocity -= position * 1e-3
        position += velocity * 1e-3


def calls() -> None:
    """The cheapest system call, which passes the container's filter every time."""
    for _ in range(2_000_000):
        os.getppid()


if __name__ == "__main__":
    work = {"numbers": numbers, "calls": calls}[sys.argv[1]]
    start = time.perf_counter()
    work()
    print(time.perf_counter() - start)
