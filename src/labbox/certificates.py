"""The certificates that this host trusts, for containers that speak to the same network."""

import os

from labbox.lightweight_typing import Mapping

# One file with all certificates, as distributions keep it (the list of Go's crypto/x509, root_linux.go).
_WELL_KNOWN = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Gentoo
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # RHEL 7 and later
    "/etc/ssl/cert.pem",  # Alpine
)
# What TLS libraries and the tools of data science ask for the path of a bundle.
_VARIABLES = (
    "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT", "GIT_SSL_CAINFO", "NODE_EXTRA_CA_CERTS",
)  # fmt: skip


def host_ca_bundle(environment: Mapping[str, str]) -> str | None:
    """The real path of the host's bundle: that of SSL_CERT_FILE, else the distribution's; None when there is none."""
    for path in (environment.get("SSL_CERT_FILE"), *_WELL_KNOWN):
        if path and os.path.isfile(path) and os.path.getsize(path):
            return os.path.realpath(path)
    return None


def ca_bundle_variables(path: str) -> tuple[str, ...]:
    """The environment, as `NAME=value`, by which programs in a container find the bundle at `path`."""
    return tuple(f"{name}={path}" for name in _VARIABLES)
