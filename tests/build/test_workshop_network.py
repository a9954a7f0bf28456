import pytest

from labbox.build.workshop import network_for, proxy_variables


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("https://pypi.org/simple", "auto"),
        ("http://127.0.0.1:3141/root", "host"),
        ("http://[::1]:3141/root", "host"),
        ("http://localhost/simple", "host"),
        ("https://localhost.example.org/simple", "auto"),
    ],
)
def test_only_what_is_on_this_hosts_loopback_needs_its_network(address: str, network: str) -> None:
    assert network_for([address], {}) == network


def test_a_proxy_on_this_host_needs_its_network_and_no_proxy_is_none() -> None:
    assert network_for(["https://pypi.org/simple"], {"HTTPS_PROXY": "http://127.0.0.1:8080"}) == "host"
    assert network_for(["https://pypi.org/simple"], {"https_proxy": "127.0.0.1:8080"}) == "host"
    assert network_for(["https://pypi.org/simple"], {"no_proxy": "localhost,127.0.0.1"}) == "auto"


def test_proxies_are_known_in_both_spellings() -> None:
    assert proxy_variables({"https_proxy": "p:1"}) == ("https_proxy=p:1", "HTTPS_PROXY=p:1")
