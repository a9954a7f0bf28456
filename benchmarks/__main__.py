"""`python -m benchmarks` from the root of the repository."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "src"))

from benchmarks.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
