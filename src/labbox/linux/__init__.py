"""System calls of the Linux kernel through ctypes, one thin function each; never decides anything."""
