"""Run a program in another network namespace: `in_network.py new|PID COMMAND…` (root only).

A Docker Engine that lives in a network of its own makes its bridge and firewall rules there, and they vanish with it.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "src"))

from labbox.engine.embedded.network import bring_loopback_up
from labbox.linux import namespaces


def main(arguments: list[str]) -> None:
    which, *command = arguments
    if which == "new":
        namespaces.unshare(namespaces.CLONE_NEWNET)
        bring_loopback_up()
    else:
        descriptor = os.open(f"/proc/{int(which)}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        namespaces.setns(descriptor, namespaces.CLONE_NEWNET)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
