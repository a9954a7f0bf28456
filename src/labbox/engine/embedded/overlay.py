"""A container's root file system: an overlay of image layers below one folder of its own.

Options follow what holds in every user namespace: `userxattr` (else removing a lower folder fails with EIO),
`index=off` and `metacopy=off` (else an upper folder used again is stale). Source: filesystems/overlayfs in the kernel's
documentation.
"""

import os
import stat

from labbox.lightweight_typing import Any
from labbox.linux import mounts


def mount_root(plan: dict[str, Any]) -> str:
    """Mount the root that `plan` describes and return where it stands in this mount namespace.

    Keys: `merged` (mount point) and either `tree` (one folder, bound) or `lower` (folders, top first), `upper`, `work`
    (made when missing) `volatile` (nothing of it needs to survive a crash) and
    `devices` (device nodes can be opened: without a device cgroup, a container that may make nodes must not use them).
    """
    merged: str = plan["merged"]
    if "tree" in plan:
        mounts.mount(plan["tree"], merged, "none", mounts.MS_BIND | mounts.MS_REC)
        return merged
    flags = 0 if plan["devices"] else mounts.MS_NODEV
    mount_overlay(plan["lower"], plan["upper"], plan["work"], merged, flags=flags, volatile=plan["volatile"])
    return merged


def mount_overlay(
    lower: list[str], upper: str, work: str, merged: str, *, flags: int = 0, volatile: bool = False
) -> None:
    """Mount an overlay; the upper and work folders are made when missing, with the attributes of the top layer's root.

    Layers are named by descriptors: 500 of them fit where paths would not, and `:` or `,` in a path does no harm.
    """
    _make_upper(upper, work, lower[0] if lower else None)
    folders = lower or [_empty_folder(work)]
    descriptors = [os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC) for path in [*folders, upper, work]]
    try:
        names = [f"/proc/self/fd/{descriptor}" for descriptor in descriptors]
        options = (
            f"userxattr,index=off,metacopy=off,lowerdir={':'.join(names[:-2])},upperdir={names[-2]},workdir={names[-1]}"
        )
        mounts.mount("overlay", merged, "overlay", flags, f"volatile,{options}" if volatile else options)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _make_upper(upper: str, work: str, model: str | None) -> None:
    os.makedirs(work, exist_ok=True)
    try:
        os.mkdir(upper)
    except FileExistsError:
        return
    if model is None:
        os.chmod(upper, 0o755)
        return
    status = os.stat(model)
    os.chown(upper, status.st_uid, status.st_gid)
    os.chmod(upper, stat.S_IMODE(status.st_mode))


def _empty_folder(work: str) -> str:
    """A lower layer for an image without layers: the kernel wants at least one."""
    path = os.path.join(os.path.dirname(work), "empty")
    os.makedirs(path, exist_ok=True)
    return path
