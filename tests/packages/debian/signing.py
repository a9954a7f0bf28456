"""A key of our own and signatures with it, as OpenPGP writes them: a test archive is signed for real."""

import base64
import hashlib
import zlib
from datetime import UTC, datetime

from labbox.packages.debian.trusted_keys import PublicKey, parse_key_packet

# RSA, 2048 bits, made for these tests with `openssl genrsa`; it protects nothing.
_MODULUS = int(
    "a98111928d8c992e176dd21200c26c2a728fc395bf784b16df343471aa1821abc45462b0d6fd552b007ec42cdcc899d5a5eb"
    "933fe0e69544b05d5865a6369b4dbbeae0f5ef9f98d6f23589ae867283bbaffd0b5ae2bd0e23b921ed703f88f2b1066028c3"
    "479a13869b0b28c869852516888f493b51f66ee777d8fbcf17471e8a886d0084b51c63da9da93f2cbd8a7527967290b8e0be"
    "a414de55542be310c5dfebaaf7f9f5b19dfd41acaa0e85b24cad0d30269b2dd671a99d9beb1858522419db226eccbbe3f251"
    "b8d0ead152152af6c1b4fd360f42e0591dafe8fe57ad8672fbd92818beffe82f3e1a13eb674f9ce4787c7c3e55eae6d2b4ad"
    "def6e059e91d",
    16,
)
_PRIVATE_EXPONENT = int(
    "22b4c36f152e00503c6a574ca9dca52e94c9e4635532b17743a8ea030aef897764c9dd723576e5f919cf1ae64fa7803e0b4c"
    "be97e1f9fc7eb5b8cb2876fdafd35d0274e0ce59487f5c550375996039a254a0b4723dc23572b18da592e9e365c3c2d92e07"
    "7bf1eb85105a5ad59c2b6fa25b40315fa4c2d746ec1660cab08ab691140f1330a97860186422066ba3f0946c152d13eead26"
    "e9ac7e195f7c27658a69a826ba12ad5c23586c3fb338b292e3fbfbc3058b702618d397e87bb31115a5fdb3ca41fd8e35c6cd"
    "80c44718e651978cf7ad01f5de850d2fa62433a2be847b821a9f698e329dc933c89b984c263e3bbc820ec5662019cc24d97e"
    "c231b63a6669",
    16,
)
_EXPONENT = 65537
MADE_AT = datetime(2024, 1, 1, tzinfo=UTC)
EXPIRES_AT = datetime(2040, 1, 1, tzinfo=UTC)
_SHA256 = 8
_SHA256_PREFIX = bytes.fromhex("3031300d060960864801650304020105000420")


def archive_key(*, expires: datetime = EXPIRES_AT) -> PublicKey:
    """The public half of the test key."""
    return parse_key_packet(_key_packet(), label="Test Archive Key", expires=expires)


def sign_cleartext(text: str, *, signed_at: datetime, hash_number: int = _SHA256, kind: int = 1) -> bytes:
    """The text in a cleartext signature (RFC 9580 section 7), signed at a moment."""
    lines = text.removesuffix("\n").split("\n")
    canonical = "\r\n".join(line.rstrip(" \t") for line in lines).encode()
    armor = base64.encodebytes(_signature_packet(canonical, signed_at, hash_number, kind)).decode()
    escaped = "\n".join(f"- {line}" if line.startswith("-") else line for line in lines)
    return (
        f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{escaped}\n"
        f"-----BEGIN PGP SIGNATURE-----\n\n{armor}{_checksum(armor)}-----END PGP SIGNATURE-----\n"
    ).encode()


def _signature_packet(canonical: bytes, signed_at: datetime, hash_number: int, kind: int) -> bytes:
    fingerprint = bytes.fromhex(archive_key().fingerprint)
    created = b"\x05\x02" + int(signed_at.timestamp()).to_bytes(4, "big")
    hashed = created + b"\x16\x21\x04" + fingerprint
    head = bytes([4, kind, 1, hash_number]) + len(hashed).to_bytes(2, "big") + hashed
    digest = hashlib.sha256(canonical + head + b"\x04\xff" + len(head).to_bytes(4, "big")).digest()
    size = (_MODULUS.bit_length() + 7) // 8
    tail = _SHA256_PREFIX + digest
    padded = b"\x00\x01" + b"\xff" * (size - len(tail) - 3) + b"\x00" + tail
    number = pow(int.from_bytes(padded, "big"), _PRIVATE_EXPONENT, _MODULUS)
    body = head + b"\x00\x00" + digest[:2] + _number(number)
    return b"\xc2\xff" + len(body).to_bytes(4, "big") + body


def _key_packet() -> bytes:
    return b"\x04" + int(MADE_AT.timestamp()).to_bytes(4, "big") + b"\x01" + _number(_MODULUS) + _number(_EXPONENT)


def _number(value: int) -> bytes:
    return value.bit_length().to_bytes(2, "big") + value.to_bytes((value.bit_length() + 7) // 8, "big")


def _checksum(armor: str) -> str:
    """A line that looks like the armor's CRC; nobody reads it (RFC 9580 section 6.1 says not to)."""
    return "=" + base64.b64encode(zlib.crc32(armor.encode()).to_bytes(4, "big")[:3]).decode() + "\n"
