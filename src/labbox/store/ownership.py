"""How files of an image keep their owners on this disk, by identity mode.

`kept`       the file system says it (as root; or inside the user namespace that maps the subordinate ids)
`recorded`   every file is ours (mode `single`): an owner other than 0:0 stands in an extended attribute, a device
             node is an empty file with an attribute, and a side table beside the tree says what symlinks and pipes
             cannot carry (xattr(7): user attributes exist on files and folders only)
"""

import os
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

Ownership = Literal["kept", "recorded"]
NodeKind = Literal["character", "block"]
OWNER_XATTR = "user.labbox.owner"
NODE_XATTR = "user.labbox.node"
_MOST_DIGITS = 10
OVERLAY_OPAQUE_XATTR = "user.overlay.opaque"
OVERLAY_WHITEOUT_XATTR = "user.overlay.whiteout"
CAPABILITY_XATTR = "security.capability"
PRIVATE_XATTRS = ("user.labbox.", "user.overlay.")

_CAPABILITY_V3 = 0x03000000  # linux/capability.h, VFS_CAP_REVISION_3: version 2 and the namespace's root id
_CAPABILITY_V2 = 0x02000000
_CAPABILITY_V2_BYTES = 20
_CAPABILITY_VERSION = 0xFF000000


class SideEntry(NamedTuple):
    """What one path could not carry itself."""

    owner: tuple[int, int] | None = None
    xattrs: tuple[tuple[bytes, bytes], ...] = ()
    node: tuple[NodeKind, tuple[int, int]] | None = None


SideTable = Mapping[bytes, SideEntry]


def ownership_of(mode: str) -> Ownership:
    """How trees of an identity mode keep their owners."""
    return "recorded" if mode == "single" else "kept"


def encode_owner(uid: int, gid: int) -> bytes:
    """The value of the owner attribute."""
    return b"%d:%d" % (uid, gid)


def decode_owner(value: bytes) -> tuple[int, int]:
    """The owner that an attribute's value says; 0:0 when it says nothing that can be understood."""
    uid, colon, gid = value.partition(b":")
    return (int(uid), int(gid)) if colon and _is_number(uid) and _is_number(gid) else (0, 0)


def encode_node(kind: str, device: tuple[int, int]) -> bytes:
    """The value of the node attribute: `c:5:1`, `b:8:0`."""
    return b"%b:%d:%d" % (kind[:1].encode(), *device)


def decode_node(value: bytes) -> tuple[NodeKind, tuple[int, int]] | None:
    """Kind and device numbers that a node attribute says, or None when it cannot be understood."""
    fields = value.split(b":")
    if len(fields) != 3 or fields[0] not in (b"b", b"c") or not (_is_number(fields[1]) and _is_number(fields[2])):
        return None
    return ("character" if fields[0] == b"c" else "block"), (int(fields[1]), int(fields[2]))


def _is_number(text: bytes) -> bool:
    """True for a decimal number of at most 32 bits."""
    return text.isdigit() and len(text) <= _MOST_DIGITS and int(text) < 1 << 32


def read_image_xattrs(target: int | str, names: list[str]) -> tuple[tuple[bytes, bytes], ...]:
    """The attributes that belong to the image, sorted: file capabilities and the user's own.

    Host things (security labels, POSIX ACLs with host ids, the overlay's marks) are left out.
    """
    kept = []
    for name in sorted(names):
        if name == CAPABILITY_XATTR:
            kept.append((name.encode(), portable_capability(os.getxattr(target, name))))
        elif name.startswith("user.") and not name.startswith(PRIVATE_XATTRS):
            kept.append((os.fsencode(name), os.getxattr(target, name)))
    return tuple(kept)


def is_image_xattr(name: bytes) -> bool:
    """True for an attribute that an image may set: never the overlay's marks nor labbox's records."""
    if name.startswith(b"user."):
        return not name.startswith(tuple(prefix.encode() for prefix in PRIVATE_XATTRS))
    return name == CAPABILITY_XATTR.encode()


def portable_capability(value: bytes) -> bytes:
    """File capabilities without the root id of the namespace that wrote them (capabilities(7), version 3 to 2)."""
    word = int.from_bytes(value[:4], "little")
    if word & _CAPABILITY_VERSION != _CAPABILITY_V3:
        return value
    return (word & ~_CAPABILITY_VERSION | _CAPABILITY_V2).to_bytes(4, "little") + value[4:_CAPABILITY_V2_BYTES]


def side_table_document(table: SideTable) -> dict[str, Any]:
    """A side table as a JSON object: path -> owner, node and attributes in hexadecimal, each where there is one."""
    return {os.fsdecode(path): _entry_document(entry) for path, entry in sorted(table.items())}


def parse_side_table(document: Mapping[str, Any]) -> dict[bytes, SideEntry]:
    """The side table that a JSON object of ours spells."""
    return {os.fsencode(path): _parse_entry(members) for path, members in document.items()}


def _entry_document(entry: SideEntry) -> dict[str, Any]:
    members = {
        "owner": entry.owner and list(entry.owner),
        "node": entry.node and encode_node(*entry.node).decode(),
        "xattrs": {os.fsdecode(name): value.hex() for name, value in entry.xattrs},
    }
    return {key: value for key, value in members.items() if value}


def _parse_entry(members: Mapping[str, Any]) -> SideEntry:
    owner, xattrs = members.get("owner"), members.get("xattrs", {})
    return SideEntry(
        owner=(int(owner[0]), int(owner[1])) if owner else None,
        xattrs=tuple((os.fsencode(name), bytes.fromhex(value)) for name, value in xattrs.items()),
        node=decode_node(members.get("node", "").encode()),
    )
