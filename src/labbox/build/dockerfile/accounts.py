"""Owners as COPY and WORKDIR name them, looked up in the image's own files."""

from labbox.build.dockerfile.paths import read_small_file
from labbox.errors import NotFoundError

_LARGEST_ID = 2**32 - 2


def find_owner(root: int, text: str) -> tuple[int, int]:
    """Numbers of `USER[:GROUP]`, names or numbers; empty is root. NotFoundError for a name that the image lacks.

    Without a group a named user brings its own, a number stands for both (docs.docker.com/reference/dockerfile,
    "COPY --chown").
    """
    user, colon, group = text.partition(":")
    accounts = _read_fields(root, "etc/passwd", 4)
    uid, gid = 0, 0
    if user:
        found = next((entry for entry in accounts if entry[0] == user), None)
        if found is not None:
            uid, gid = int(found[2]), int(found[3])
        else:
            uid = gid = _number(user, f"no user `{user}` in the image's /etc/passwd")
    if colon and group:
        named = next((entry for entry in _read_fields(root, "etc/group", 3) if entry[0] == group), None)
        gid = int(named[2]) if named is not None else _number(group, f"no group `{group}` in the image's /etc/group")
    return uid, gid


def _number(text: str, otherwise: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) > _LARGEST_ID:
        raise NotFoundError(otherwise)
    return int(text)


def _read_fields(root: int, path: str, numbers_until: int) -> list[list[str]]:
    entries = [line.split(":") for line in read_small_file(root, path).split("\n")]
    return [
        entry
        for entry in entries
        if len(entry) >= numbers_until and all(text.isascii() and text.isdigit() for text in entry[2:numbers_until])
    ]
