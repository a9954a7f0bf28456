"""Names of images as docker writes them: `debian:13`, `ghcr.io/org/tool@sha256:…`.

Grammar and normalisation follow github.com/distribution/reference (regexp.go, normalize.go); the messages are docker's.
Written without regular expressions: compiling them costs a millisecond at every start.
"""

from labbox.errors import UsageError
from labbox.lightweight_typing import NamedTuple
from labbox.oci.digest import Digest, is_hex, parse_digest

DEFAULT_DOMAIN = "docker.io"
DEFAULT_TAG = "latest"
_OFFICIAL_PREFIX = "library/"
_ID_DIGITS = 64
_MAX_NAME_CHARACTERS = 255
_MAX_TAG_CHARACTERS = 128
_MIN_DIGEST_DIGITS = 32


class Reference(NamedTuple):
    """A name in full: registry, repository path, and a tag, a digest, both or neither."""

    domain: str
    path: str
    tag: str = ""
    digest: Digest | None = None

    def __str__(self) -> str:
        return self.repository + self._suffix()

    @property
    def repository(self) -> str:
        """Registry and path: `docker.io/library/debian`."""
        return f"{self.domain}/{self.path}"

    @property
    def familiar_repository(self) -> str:
        """The repository as people write it: `debian`, `user/tool`, `ghcr.io/org/tool`."""
        if self.domain != DEFAULT_DOMAIN:
            return self.repository
        rest = self.path.removeprefix(_OFFICIAL_PREFIX)
        return rest if "/" not in rest else self.path

    @property
    def familiar(self) -> str:
        """The whole reference as people write it."""
        return self.familiar_repository + self._suffix()

    def with_default_tag(self) -> "Reference":
        """The same with the tag `latest` when it has neither tag nor digest."""
        return self._replace(tag=DEFAULT_TAG) if not self.tag and self.digest is None else self

    def _suffix(self) -> str:
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest is not None else "")


def parse_reference(text: str) -> Reference:
    """The reference that a text spells; raises UsageError with docker's message."""
    if len(text) == _ID_DIGITS and is_hex(text):
        raise UsageError(f"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings")
    domain, remainder = _split_domain(text)
    _refuse_upper_case(remainder)
    name, _, digest = remainder.partition("@")
    path, tag = _split_tag(name)
    if not all(_is_path_component(part) for part in path.split("/")) or not _is_domain(domain):
        raise UsageError("invalid reference format")
    if len(path) + len(domain) + 1 > _MAX_NAME_CHARACTERS:
        raise UsageError("invalid reference format: repository name must not be more than 255 characters")
    if "@" in remainder:
        return Reference(domain, path, tag, _parse_reference_digest(digest))
    return Reference(domain, path, tag)


def _split_domain(text: str) -> tuple[str, str]:
    """Docker's rule: the part before the first slash is a registry when it looks like a host."""
    first, slash, rest = text.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost" or first != first.lower()):
        first, rest = DEFAULT_DOMAIN, text
    if first == "index.docker.io":
        first = DEFAULT_DOMAIN
    if first == DEFAULT_DOMAIN and "/" not in rest:
        rest = _OFFICIAL_PREFIX + rest
    return first, rest


def _split_tag(name: str) -> tuple[str, str]:
    path, colon, tag = name.partition(":")
    if colon and not _is_tag(tag):
        raise UsageError("invalid reference format")
    return path, tag


def _refuse_upper_case(remainder: str) -> None:
    name = remainder.partition("@")[0].partition(":")[0]
    lowered = name.lower()
    if lowered != name and all(_is_path_component(part) for part in lowered.split("/")):
        raise UsageError(f"invalid reference format: repository name ({name}) must be lowercase")


def _is_path_component(text: str) -> bool:
    """Lower-case letters and digits, separated by `.`, `_`, `__` or any number of `-`."""
    if text.isascii() and text.isalnum():
        return text == text.lower()
    while "--" in text:
        text = text.replace("--", "-")
    parts = text.replace("__", "_").replace(".", "_").replace("-", "_").split("_")
    return all(part.isascii() and part.isalnum() and part == part.lower() for part in parts)


def _is_tag(text: str) -> bool:
    """A letter, digit or underscore, then up to 127 of these, dots and dashes."""
    if not text.isascii() or len(text) > _MAX_TAG_CHARACTERS or text[:1] in {"", ".", "-"}:
        return False
    return text.replace("_", "a").replace(".", "a").replace("-", "a").isalnum()


def _is_domain(text: str) -> bool:
    """A host name, an IPv4 address or an IPv6 address in brackets, with an optional port."""
    if text.startswith("["):
        address, bracket, port = text[1:].partition("]")
        is_host = bool(bracket) and bool(address) and not address.lower().strip("0123456789abcdef:")
        return is_host and (not port or (port[0] == ":" and _is_port(port[1:])))
    host, colon, port = text.partition(":")
    return all(_is_domain_component(part) for part in host.split(".")) and (not colon or _is_port(port))


def _is_domain_component(text: str) -> bool:
    return text.isascii() and text.replace("-", "a").isalnum() and text[0] != "-" and text[-1] != "-"


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _parse_reference_digest(text: str) -> Digest:
    algorithm, colon, digits = text.partition(":")
    if not colon or not algorithm or len(digits) < _MIN_DIGEST_DIGITS or not is_hex(digits):
        raise UsageError("invalid reference format")
    try:
        return parse_digest(text)
    except UsageError as error:
        raise UsageError(f"invalid reference format: {error.message}") from error
