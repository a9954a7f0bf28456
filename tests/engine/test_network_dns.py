"""A container's resolv.conf, and the servers its queries go to."""

import os
import socket
from pathlib import Path

import pytest

from labbox.engine.embedded.dns import Resolvers, container_resolv_conf

HOST = """\
# a comment
; another
nameserver 127.0.0.53
nameserver 192.0.2.1
domain old.example
search lab.example uni.example
options edns0 trust-ad
options ndots:2
"""


def test_the_relay_is_the_name_server_and_search_and_options_are_the_hosts() -> None:
    text = "nameserver 10.0.2.3\nsearch lab.example uni.example\noptions edns0 ndots:2\n"
    assert container_resolv_conf(HOST) == text


def test_what_is_given_replaces_what_the_host_says() -> None:
    text = container_resolv_conf(HOST, servers=["9.9.9.9", "1.1.1.1"], search=["other.example"], options=["ndots:5"])
    assert text == "nameserver 9.9.9.9\nnameserver 1.1.1.1\nsearch other.example\noptions ndots:5\n"


def test_a_dot_as_search_means_none() -> None:
    assert container_resolv_conf(HOST, search=["."], options=["ndots:1"]) == "nameserver 10.0.2.3\noptions ndots:1\n"


def test_the_last_of_domain_and_search_counts() -> None:
    assert "search b.example\n" in container_resolv_conf("search a.example\ndomain b.example\n")


@pytest.mark.parametrize("text", ["", "\n\n", "search\n", "nameserver\noptions\n"])
def test_a_host_without_settings_gives_a_name_server_alone(text: str) -> None:
    assert container_resolv_conf(text) == "nameserver 10.0.2.3\n"


def test_the_hosts_servers_are_asked_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text(HOST + "nameserver 2001:db8::53\nnameserver not-an-address\n")
    targets = Resolvers(path=str(path)).targets()
    assert [target.address[:2] for target in targets] == [
        ("127.0.0.53", 53),
        ("192.0.2.1", 53),
        ("2001:db8::53", 53),
    ]
    assert [target.family for target in targets] == [socket.AF_INET, socket.AF_INET, socket.AF_INET6]


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text("nameserver 192.0.2.1\n")
    resolvers = Resolvers(path=str(path))
    assert resolvers.targets()[0].address == ("192.0.2.1", 53)
    replacement = tmp_path / "new"
    replacement.write_text("nameserver 192.0.2.2\n")
    os.replace(replacement, path)
    assert resolvers.targets()[0].address == ("192.0.2.2", 53)


def test_a_host_without_servers_is_asked_itself(tmp_path: Path) -> None:
    targets = Resolvers(path=str(tmp_path / "missing")).targets()
    assert [target.address for target in targets] == [("127.0.0.1", 53)]


def test_given_servers_need_no_file(tmp_path: Path) -> None:
    targets = Resolvers(["192.0.2.9"], path=str(tmp_path / "missing")).targets()
    assert [target.address for target in targets] == [("192.0.2.9", 53)]
