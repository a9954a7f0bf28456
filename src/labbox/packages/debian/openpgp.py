"""Signed indexes: check an OpenPGP cleartext signature (RFC 9580 §7) and return only the text it covers.

Standard library only. RSA (PKCS #1 v1.5) and Ed25519 with SHA-2; everything else counts as no signature.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from labbox.errors import SignatureError
from labbox.packages.debian.ed25519 import is_valid_signature
from labbox.packages.debian.trusted_keys import ED25519, EDDSA_LEGACY, RSA, PublicKey, read_number

_BEGIN_MESSAGE = b"-----BEGIN PGP SIGNED MESSAGE-----"
_BEGIN_SIGNATURE = b"-----BEGIN PGP SIGNATURE-----"
_END_SIGNATURE = b"-----END PGP SIGNATURE-----"
_SIGNATURE_PACKET = 2
_TEXT_SIGNATURE = 0x01
# Hash numbers of RFC 9580 §9.5 with the DigestInfo prefix that PKCS #1 v1.5 puts before the hash (RFC 8017 §9.2).
_HASHES = {
    8: ("sha256", bytes.fromhex("3031300d060960864801650304020105000420")),
    9: ("sha384", bytes.fromhex("3041300d060960864801650304020205000430")),
    10: ("sha512", bytes.fromhex("3051300d060960864801650304020305000440")),
}
# Signature subpackets, RFC 9580 §5.2.3.7.
_CREATED, _EXPIRES, _KEY_ID, _FINGERPRINT = 2, 3, 16, 33
_UNDERSTOOD = frozenset({_CREATED, _EXPIRES, _KEY_ID, _FINGERPRINT, 20, 28})  # notations and signer's user id: ignored


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedText:
    """The text that trusted keys signed, and who signed it."""

    text: str
    signers: tuple[str, ...]
    signed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signature:
    algorithm: int
    hash_name: str
    hash_prefix: bytes
    trailer: bytes
    key_names: frozenset[str]
    created: datetime
    expires: datetime | None
    material: bytes


def verify_cleartext(document: bytes, keys: Sequence[PublicKey], *, now: datetime, where: str) -> VerifiedText:
    """The signed text of a cleartext-signed document, when at least one trusted key signed it.

    Nothing outside the signed text is tolerated, before or after. Raises SignatureError naming `where`.
    """
    body, armor = _split_document(document, where)
    canonical = b"\r\n".join(line.rstrip(b" \t\r") for line in body)
    faults: list[str] = []
    signers: list[str] = []
    signed_at: list[datetime] = []
    for packet in _signature_packets(armor, where):
        signature = _parse_signature(packet, where)
        key = _find_key(signature, keys) if signature else None
        if signature is None or key is None:
            continue
        fault = _find_fault(signature, key, canonical, now)
        if fault:
            faults.append(f"{key.label}: {fault}")
        else:
            signers.append(key.label)
            signed_at.append(signature.created)
    if not signers:
        reason = "; ".join(faults) or "no signature is by a trusted key"
        raise SignatureError(
            f"cannot trust index `{where}`: {reason}",
            hint="Check the mirror and the clock of this machine.",
        )
    text = b"\n".join(line.rstrip(b" \t\r") for line in body) + b"\n"
    return VerifiedText(text=text.decode("utf-8"), signers=tuple(signers), signed_at=min(signed_at))


def _split_document(document: bytes, where: str) -> tuple[list[bytes], bytes]:
    """Body lines without dash-escapes, and the armored signature; raises when anything else is there."""
    lines = document.split(b"\n")
    if lines[0].rstrip() != _BEGIN_MESSAGE:
        raise SignatureError(f"cannot trust index `{where}`: it does not begin with a signed message")
    stripped = [line.rstrip() for line in lines]
    if stripped.count(_BEGIN_SIGNATURE) != 1 or stripped.count(_END_SIGNATURE) != 1 or b"" not in stripped:
        raise SignatureError(f"cannot trust index `{where}`: it is not one text with one signature block")
    start, begin, end = stripped.index(b"") + 1, stripped.index(_BEGIN_SIGNATURE), stripped.index(_END_SIGNATURE)
    headers_are_plain = all(line.startswith(b"Hash: ") for line in stripped[1 : start - 1])
    if not headers_are_plain or not start <= begin < end or any(stripped[end + 1 :]):
        raise SignatureError(f"cannot trust index `{where}`: there is text outside the signed message")
    body = [line[2:] if line.startswith(b"- ") else line for line in lines[start:begin]]
    if any(line.startswith(b"-") for line in lines[start:begin] if not line.startswith(b"- ")):
        raise SignatureError(f"cannot trust index `{where}`: a line starts with an unescaped dash")
    return body, b"\n".join(stripped[begin + 1 : end])


def _signature_packets(armor: bytes, where: str) -> Iterator[bytes]:
    """Bodies of the signature packets in an armored block (RFC 9580 §4.2, §6.2)."""
    head, separator, encoded = armor.partition(b"\n\n")
    if not separator:
        head, encoded = b"", head.lstrip(b"\n")
    lines = [line for line in encoded.split(b"\n") if not line.startswith(b"=")]
    try:
        data = base64.b64decode(b"".join(lines), validate=True)
        while data:
            tag, body, data = _read_packet(data)
            if tag == _SIGNATURE_PACKET:
                yield body
    except (binascii.Error, IndexError) as error:
        raise SignatureError(f"cannot trust index `{where}`: its signature block is damaged") from error


def _read_packet(data: bytes) -> tuple[int, bytes, bytes]:
    first = data[0]
    if not first & 0x80:
        raise IndexError
    if first & 0x40:
        tag = first & 0x3F
        length, used = _read_length(data[1:])
        start = 1 + used
    else:
        tag = (first >> 2) & 0x0F
        width = (1, 2, 4)[first & 0x03]
        length, start = int.from_bytes(data[1 : 1 + width], "big"), 1 + width
    if len(data) < start + length:
        raise IndexError
    return tag, data[start : start + length], data[start + length :]


def _read_length(data: bytes) -> tuple[int, int]:
    """A length of one, two or five octets (RFC 9580 §4.2.1, §5.2.3.7) and how many it took."""
    if data[0] < 192:
        return data[0], 1
    if data[0] < 255:
        return ((data[0] - 192) << 8) + data[1] + 192, 2
    return int.from_bytes(data[1:5], "big"), 5


def _parse_signature(packet: bytes, where: str) -> _Signature | None:
    """A version 4 text signature with a hash we accept, or None for any other kind."""
    try:
        version, kind, algorithm, hash_number = packet[:4]
        if version != 4 or kind != _TEXT_SIGNATURE or hash_number not in _HASHES:
            return None
        hashed_end = 6 + int.from_bytes(packet[4:6], "big")
        unhashed_end = hashed_end + 2 + int.from_bytes(packet[hashed_end : hashed_end + 2], "big")
        hashed = list(_subpackets(packet[6:hashed_end]))
        unhashed = list(_subpackets(packet[hashed_end + 2 : unhashed_end]))
    except (ValueError, IndexError) as error:
        raise SignatureError(f"cannot trust index `{where}`: its signature is damaged") from error
    if any(critical and number not in _UNDERSTOOD for number, critical, _ in hashed):
        return None
    values = {number: value for number, _, value in hashed}
    if _CREATED not in values:
        return None
    created = datetime.fromtimestamp(int.from_bytes(values[_CREATED], "big"), UTC)
    lifetime = int.from_bytes(values.get(_EXPIRES, b""), "big")
    name, prefix = _HASHES[hash_number]
    return _Signature(
        algorithm=algorithm,
        hash_name=name,
        hash_prefix=prefix,
        trailer=packet[:hashed_end] + b"\x04\xff" + hashed_end.to_bytes(4, "big"),
        key_names=frozenset(_key_names([*hashed, *unhashed])),
        created=created,
        expires=created + timedelta(seconds=lifetime) if lifetime else None,
        material=packet[unhashed_end + 2 :],
    )


def _subpackets(data: bytes) -> Iterator[tuple[int, bool, bytes]]:
    while data:
        length, used = _read_length(data)
        kind = data[used]
        yield kind & 0x7F, bool(kind & 0x80), data[used + 1 : used + length]
        data = data[used + length :]


def _key_names(subpackets: Sequence[tuple[int, bool, bytes]]) -> Iterator[str]:
    for number, _, value in subpackets:
        if number == _KEY_ID:
            yield value.hex().upper()
        elif number == _FINGERPRINT:
            yield value[1:].hex().upper()


def _find_key(signature: _Signature, keys: Sequence[PublicKey]) -> PublicKey | None:
    for key in keys:
        if key.fingerprint in signature.key_names or key.key_id in signature.key_names:
            return key
    return None


def _find_fault(signature: _Signature, key: PublicKey, canonical: bytes, now: datetime) -> str | None:
    """What is wrong with a signature by a trusted key, or None when it is good."""
    if not key.is_valid_at(signature.created) or not key.is_valid_at(now):
        return f"the key is valid from {key.created:%Y-%m-%d} to {key.expires:%Y-%m-%d} only"
    if signature.created > now + timedelta(days=1):
        return f"the signature is from the future ({signature.created:%Y-%m-%d})"
    if signature.expires is not None and signature.expires <= now:
        return f"the signature expired on {signature.expires:%Y-%m-%d}"
    digest = hashlib.new(signature.hash_name, canonical + signature.trailer).digest()
    if signature.algorithm != key.algorithm or not _matches(signature, key, digest):
        return "the signature does not match the text"
    return None


def _matches(signature: _Signature, key: PublicKey, digest: bytes) -> bool:
    if key.algorithm == RSA:
        number, _ = read_number(signature.material)
        size = (key.modulus.bit_length() + 7) // 8
        # EMSA-PKCS1-v1_5 is compared as a whole, so no padding but the right one is accepted (RFC 8017 §8.2.2).
        tail = signature.hash_prefix + digest
        expected = b"\x00\x01" + b"\xff" * (size - len(tail) - 3) + b"\x00" + tail
        return pow(number, key.exponent, key.modulus).to_bytes(size, "big") == expected
    if key.algorithm == EDDSA_LEGACY:
        first, rest = read_number(signature.material)
        second, _ = read_number(rest)
        if max(first.bit_length(), second.bit_length()) > 256:
            return False
        return is_valid_signature(key.point, digest, first.to_bytes(32, "big") + second.to_bytes(32, "big"))
    return key.algorithm == ED25519 and is_valid_signature(key.point, digest, signature.material[:64])
