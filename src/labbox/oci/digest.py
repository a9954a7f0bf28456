"""Digests: the names of content, as the OCI image specification writes them (descriptor.md, "Digests")."""

from labbox.errors import UsageError
from labbox.lightweight_typing import NamedTuple

_HEX_LENGTHS = {"sha256": 64, "sha512": 128}
_HEX_DIGITS = "0123456789abcdef"


class Digest(NamedTuple):
    """An algorithm and the hexadecimal hash of some content: `sha256:e3b0…`."""

    algorithm: str
    hex: str

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"

    @property
    def short(self) -> str:
        """The first twelve digits, as `docker images` prints an id."""
        return self.hex[:12]


def parse_digest(text: str) -> Digest:
    """The digest a text spells; raises UsageError when it spells none."""
    algorithm, colon, digits = text.partition(":")
    if not colon or algorithm not in _HEX_LENGTHS:
        raise UsageError(f"invalid digest `{text}`: expected sha256: or sha512: and hexadecimal digits")
    if len(digits) != _HEX_LENGTHS[algorithm]:
        raise UsageError(
            f"invalid digest `{text}`: {algorithm} has {_HEX_LENGTHS[algorithm]} digits, not {len(digits)}"
        )
    if digits.strip(_HEX_DIGITS):
        raise UsageError(f"invalid digest `{text}`: digits are 0-9 and a-f")
    return Digest(algorithm, digits)


def sha256(data: bytes) -> Digest:
    """The sha256 digest of some bytes."""
    import hashlib  # noqa: PLC0415  (loads OpenSSL, 4 ms; starting a container hashes nothing)

    return Digest("sha256", hashlib.sha256(data).hexdigest())


def is_hex(text: str) -> bool:
    """True when a text is made of lower-case hexadecimal digits only."""
    return bool(text) and not text.strip(_HEX_DIGITS)
