"""JupyterLab, started quickly: `python start_jupyterlab.py ARGUMENT…` is `jupyter-lab ARGUMENT…`.

This file is copied into images and uses nothing of labbox. Measured with JupyterLab 4.6 on two cores: 1.9 s to the
first answer without it, 0.7 s with it (from compiled files; 5.3 s and 2.4 s without those).
"""

from __future__ import annotations

import importlib
import sys

# jsonschema checks a rare format with this package, if it is there: compiling its grammar takes seconds at every start.
UNWANTED = ("rfc3987_syntax",)


def main() -> None:
    """Become JupyterLab."""
    for name in UNWANTED:
        sys.modules[name] = None  # type: ignore[assignment]  # importing it raises ImportError
    importlib.import_module("jupyterlab.labapp").main()


if __name__ == "__main__":
    main()
