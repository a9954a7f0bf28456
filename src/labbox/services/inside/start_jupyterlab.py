"""JupyterLab, started quickly: `python start_jupyterlab.py ARGUMENT…` is `jupyter-lab ARGUMENT…`.

This file is copied into images and uses nothing of labbox. Measured with JupyterLab 4.6 on two cores: 1.9 s to the
first answer without it, 0.7 s with it (from compiled files; 5.3 s and 2.4 s without those).
"""

from __future__ import annotations

import importlib
import importlib.util
import sys

# jsonschema checks a rare format with this package, if it is there: compiling its grammar takes 2.2 s at every start.
UNWANTED = ("rfc3987_syntax",)
# For downloads that a lab's JupyterLab does not make (its extension manager lists what is there): 0.2 s.
SELDOM_USED = ("httpx", "requests")


def main() -> None:
    """Become JupyterLab."""
    for name in UNWANTED:
        sys.modules[name] = None  # type: ignore[assignment]  # importing it raises ImportError
    for name in SELDOM_USED:
        import_later(name)
    importlib.import_module("jupyterlab.labapp").main()


def import_later(name: str) -> None:
    """Have a module executed when it is first used, not when it is imported."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        return
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


if __name__ == "__main__":
    main()
