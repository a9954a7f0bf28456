"""`signal`, `socket`, `json` and `contextlib` without what the standard library wraps around their C halves.

The Python halves import `enum`, `re`, `collections`, `functools` and `selectors`: 12 ms of every command and of each of
a container's processes. Here are the same functions on plain numbers. To a type checker they are the ordinary modules.
What differs: sockets are no context managers, `signal.Signals` does not exist, JSON knows no options.
"""

from __future__ import annotations

TYPE_CHECKING = False

if TYPE_CHECKING:
    import json as json
    import signal as signal
    import socket as socket
    from contextlib import ExitStack as ExitStack
    from contextlib import contextmanager as contextmanager
    from contextlib import suppress as suppress
else:
    import _signal as signal
    import _socket as socket

    class suppress:  # noqa: N801  (contextlib's name)
        """Ends quietly when its body raises one of these."""

        def __init__(self, *kinds: type[BaseException]) -> None:
            self._kinds = kinds

        def __enter__(self) -> None:
            return None

        def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
            return kind is not None and issubclass(kind, self._kinds)

    class _Generated:
        """The context that a generator of one value stands for."""

        __slots__ = ("_generator",)

        def __init__(self, generator: object) -> None:
            self._generator = generator

        def __enter__(self) -> object:
            return next(self._generator)

        def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> bool:
            if kind is None:
                next(self._generator, None)
                return False
            try:
                self._generator.throw(error)
            except StopIteration:
                return True
            except BaseException as raised:
                if raised is error:
                    return False
                raise
            raise RuntimeError("a context went on after its body had failed")

    def contextmanager(function: object) -> object:
        """Make a context of a generator function that yields once."""

        def make(*values: object, **named: object) -> _Generated:
            return _Generated(function(*values, **named))

        make.__doc__, make.__name__ = function.__doc__, function.__name__
        return make

    class ExitStack:
        """Leaves contexts and calls callbacks in reverse order, whatever happens."""

        def __init__(self) -> None:
            self._exits: list[object] = []

        def __enter__(self) -> ExitStack:
            return self

        def __exit__(self, kind: object, error: object, trace: object) -> bool:
            is_quiet = False
            while self._exits:
                try:
                    if self._exits.pop()(kind, error, trace):
                        kind = error = trace = None
                        is_quiet = True
                except BaseException:
                    self.__exit__(kind, error, trace)
                    raise
            return is_quiet

        def enter_context(self, context: object) -> object:
            """Enter a context that is left at the end."""
            value = context.__enter__()
            self._exits.append(context.__exit__)
            return value

        def callback(self, function: object, *values: object) -> None:
            """Call a function at the end."""
            self._exits.append(lambda *_: function(*values) and None)

        def pop_all(self) -> None:
            """Forget everything: it is somebody else's now."""
            self._exits.clear()

    try:
        from _json import encode_basestring_ascii, make_encoder, make_scanner
    except ImportError:  # another Python than CPython
        import json
    else:

        class _JsonRules:
            """How `json.loads` reads without options."""

            strict = True
            object_hook = object_pairs_hook = None
            parse_float = float
            parse_int = int
            parse_constant = float

        def _refuse(value: object) -> None:
            raise TypeError(f"{type(value).__name__} cannot be written as JSON")

        _scan = make_scanner(_JsonRules)
        _encode = make_encoder(None, _refuse, encode_basestring_ascii, None, ": ", ", ", False, False, True)

        class json:  # noqa: N801  (the module's name)
            """Reads and writes JSON (RFC 8259)."""

            @staticmethod
            def loads(data: str | bytes) -> object:
                """The value of a document; ValueError when it is none."""
                text = (data if isinstance(data, str) else data.decode()).strip(" \t\n\r")
                try:
                    value, end = _scan(text, 0)
                except StopIteration as stop:
                    raise ValueError(f"no JSON at character {stop.value}") from None
                except SystemError:  # the C half cannot name its fault while json.decoder is not imported (Python 3.11)
                    raise ValueError("no JSON") from None
                if end != len(text):
                    raise ValueError(f"something follows the document at character {end}")
                return value

            @staticmethod
            def dumps(document: object) -> str:
                """A document on one line; TypeError for what JSON has no form for."""
                return "".join(_encode(document, 0))


__all__ = ["ExitStack", "contextmanager", "json", "signal", "socket", "suppress"]
