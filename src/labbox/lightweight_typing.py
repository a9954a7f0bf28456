"""The names of `typing` that every command meets before it works, without the price of `typing`.

`typing` takes 5 ms to import and compiles code for every NamedTuple (0.25 ms each; `run` defines dozens). To a type
checker these names are `typing`'s own; at run time annotations mean nothing, and NamedTuple is made of plain properties
with the same methods. Modules on the path of `run` and `exec` import from here, all others from `typing`.
"""

from __future__ import annotations

TYPE_CHECKING = False  # what type checkers take for true

if TYPE_CHECKING:
    from collections.abc import Callable as Callable
    from collections.abc import Collection as Collection
    from collections.abc import Iterable as Iterable
    from collections.abc import Iterator as Iterator
    from collections.abc import Mapping as Mapping
    from collections.abc import Sequence as Sequence
    from typing import IO as IO
    from typing import Any as Any
    from typing import BinaryIO as BinaryIO
    from typing import Literal as Literal
    from typing import NamedTuple as NamedTuple
    from typing import NoReturn as NoReturn
    from typing import Protocol as Protocol
    from typing import Self as Self
    from typing import TextIO as TextIO
    from typing import TypeVar as TypeVar
    from typing import cast as cast
else:
    from _operator import itemgetter  # the C half: `operator` itself is another file to read

    class Any:
        """Stands for every form that only annotations use."""

        def __class_getitem__(cls, _parameters: object) -> type:
            return cls

    IO = BinaryIO = Callable = Collection = Iterable = Iterator = Literal = Mapping = NoReturn = Any
    Protocol = Self = Sequence = TextIO = Any

    def TypeVar(_name: str, **_options: object) -> type:  # noqa: N802  (typing's name)
        """A type variable means nothing at run time."""
        return Any

    def cast(_kind: object, value: object) -> object:
        """The value itself."""
        return value

    class NamedTuple(tuple):
        """An immutable value whose fields have names, types and defaults."""

        __slots__ = ()
        _fields: tuple[str, ...] = ()
        _field_defaults: dict[str, object] = {}  # noqa: RUF012  (replaced, never changed)

        def __init_subclass__(cls) -> None:
            """Turn the annotated names of the class body into fields."""
            names = tuple(cls.__annotations__)
            cls._fields = names
            cls._field_defaults = {name: cls.__dict__[name] for name in names if name in cls.__dict__}
            cls.__match_args__ = names
            for position, name in enumerate(names):
                setattr(cls, name, property(itemgetter(position)))

        def __new__(cls, *values: object, **named: object) -> NamedTuple:
            """The value of these fields; TypeError for missing, unknown or surplus ones."""
            fields = cls._fields
            if named or len(values) != len(fields):
                values = (*values, *cls._complete(fields[len(values) :], named))
                if named or len(values) != len(fields):
                    raise TypeError(f"{cls.__name__}() does not take these arguments: {[*named] or values}")
            return tuple.__new__(cls, values)

        @classmethod
        def _complete(cls, fields: tuple[str, ...], named: dict[str, object]) -> list[object]:
            try:
                return [named.pop(name) if name in named else cls._field_defaults[name] for name in fields]
            except KeyError as error:
                raise TypeError(f"{cls.__name__}() misses the argument {error}") from None

        @classmethod
        def _make(cls, values: object) -> NamedTuple:
            """The value of fields in their order."""
            return cls(*values)

        def _replace(self, **changes: object) -> NamedTuple:
            """A new value with some fields changed."""
            values = [changes.pop(name, value) for name, value in zip(self._fields, self, strict=True)]
            if changes:
                raise ValueError(f"Got unexpected field names: {list(changes)}")
            return tuple.__new__(type(self), values)

        def _asdict(self) -> dict[str, object]:
            """Fields and values as a new dictionary."""
            return dict(zip(self._fields, self, strict=True))

        def __getnewargs__(self) -> tuple[object, ...]:
            """The arguments with which copies and pickles are made again."""
            return tuple(self)

        def __repr__(self) -> str:
            fields = ", ".join(f"{name}={value!r}" for name, value in self._asdict().items())
            return f"{type(self).__name__}({fields})"
