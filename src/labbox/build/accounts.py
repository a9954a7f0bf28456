"""The account files of a system with the user `developer` in them: pure text in, text out.

Source: passwd(5), group(5), shadow(5), gshadow(5), subuid(5).
"""

from collections.abc import Callable, Mapping

DEVELOPER = "developer"
DEVELOPER_ID = 1000
HOME = "/home/developer"
PASSWD, GROUP, SHADOW, GSHADOW = "/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow"
SUBUID, SUBGID = "/etc/subuid", "/etc/subgid"
ACCOUNT_FILES = (PASSWD, GROUP, SHADOW, GSHADOW, SUBUID, SUBGID)
_NO_ACCOUNTS = {PASSWD: "root:x:0:0:root:/root:/bin/sh\n", GROUP: "root:x:0:\n"}
# `*` is no password, yet no lock either: sshd refuses a locked account (`!`). The day is 1980-01-01.
_SHADOW_FIELDS = ("*", "3652", "0", "99999", "7", "", "", "")


def with_developer(files: Mapping[str, str], shell: str) -> dict[str, str]:
    """The account files with `developer`, 1000:1000, member of `sudo` where there is such a group.

    `files` are those that the system has. A user who has the id already gets the new name, its groups stay; another
    user of that name goes.
    """
    known = {**_NO_ACCOUNTS, **files}
    former_user = _name_of_id(known[PASSWD])
    former_group = _name_of_id(known[GROUP])
    changed = {
        PASSWD: _with_line(
            known[PASSWD], former_user, [DEVELOPER, "x", str(DEVELOPER_ID), str(DEVELOPER_ID), "", HOME, shell]
        ),
        GROUP: _with_members(
            _with_line(known[GROUP], former_group, [DEVELOPER, "x", str(DEVELOPER_ID), ""]), former_user, 3
        ),
    }
    if SHADOW in files:
        changed[SHADOW] = _with_line(files[SHADOW], former_user, [DEVELOPER, *_SHADOW_FIELDS])
    if GSHADOW in files:
        changed[GSHADOW] = _with_members(
            _with_line(files[GSHADOW], former_group, [DEVELOPER, "!", "", ""]), former_user, 3
        )
    for path in (SUBUID, SUBGID):
        if path in files and former_user:
            changed[path] = _change_lines(files[path], lambda line: _renamed(line, former_user))
    return changed


def _name_of_id(text: str) -> str:
    """Who has developer's id; empty when nobody."""
    lines = [line.split(":") for line in text.splitlines()]
    return next((line[0] for line in lines if len(line) > 2 and line[2] == str(DEVELOPER_ID)), "")


def _with_line(text: str, former: str, line: list[str]) -> str:
    """The file with developer's line in the place of the former owner's, else at the end."""
    names = [entry.split(":")[0] for entry in text.splitlines()]
    place = next((name for name in (former, DEVELOPER) if name and name in names), "")
    kept = [
        ":".join(line) if name == place else entry
        for name, entry in zip(names, text.splitlines(), strict=True)
        if name == place or name not in (former, DEVELOPER)
    ]
    return "\n".join(kept if place else [*kept, ":".join(line)]) + "\n"


def _with_members(text: str, former: str, field: int) -> str:
    """The groups with developer in place of the former user, and in `sudo`."""

    def change(line: list[str]) -> list[str]:
        if len(line) <= field:
            return line
        members = [DEVELOPER if member == former else member for member in line[field].split(",") if member]
        if line[0] == "sudo":
            members.append(DEVELOPER)
        return [*line[:field], ",".join(dict.fromkeys(members)), *line[field + 1 :]]

    return _change_lines(text, change)


def _renamed(line: list[str], former: str) -> list[str]:
    return [DEVELOPER, *line[1:]] if line[0] == former else line


def _change_lines(text: str, change: Callable[[list[str]], list[str]]) -> str:
    return "".join(":".join(change(line.split(":"))) + "\n" for line in text.splitlines())
