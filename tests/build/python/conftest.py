"""Layers of wheels in the stores of several people."""

from store.conftest import keeper

__all__ = ["keeper"]
