"""JupyterLab, started quickly: `python start_jupyterlab.py ARGUMENT…` is `jupyter-lab ARGUMENT…`.

This file is copied into images and uses nothing of labbox. One import that is left out takes as long as all the rest
of JupyterLab 4.6's start together.
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
