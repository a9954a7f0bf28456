"""`signal` and `socket` without the enumerations that the standard library wraps around them.

The C modules underneath have the same functions and plain numbers; the Python halves import `enum`, `re`, `selectors`
and `collections`, 5 ms in each of a container's processes. To a type checker they are the ordinary modules. Their
sockets are no context managers, and `signal.Signals` does not exist.
"""

TYPE_CHECKING = False

if TYPE_CHECKING:
    import signal as signal
    import socket as socket
else:
    import _signal as signal
    import _socket as socket

__all__ = ["signal", "socket"]
