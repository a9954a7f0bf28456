"""Public keys as OpenPGP describes them, and the ones of the Debian archive that ship with labbox."""

import base64
import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from labbox.errors import SignatureError
from labbox.packages.debian.control import parse_paragraphs

# Public-key algorithm numbers, RFC 9580 §9.1.
RSA = 1
EDDSA_LEGACY = 22
ED25519 = 27
_ED25519_OID = bytes.fromhex("2b06010401da470f01")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A key that may sign: RSA has modulus and exponent, Ed25519 has the 32 bytes of its point."""

    label: str
    fingerprint: str
    algorithm: int
    created: datetime
    expires: datetime
    modulus: int = 0
    exponent: int = 0
    point: bytes = b""

    @property
    def key_id(self) -> str:
        """The last 64 bits of the fingerprint, by which older signatures name their key."""
        return self.fingerprint[-16:]

    def is_valid_at(self, moment: datetime) -> bool:
        """True when the key had been made and had not yet expired."""
        return self.created <= moment < self.expires


def load_archive_keys() -> tuple[PublicKey, ...]:
    """The keys of Debian's archive and security archive that ship with labbox."""
    path = os.path.join(os.path.dirname(__file__), "keys", "debian-archive.keys")
    with open(path, encoding="utf-8") as file:
        return tuple(read_keys(file.read()))


def read_keys(text: str) -> Iterable[PublicKey]:
    """Keys from paragraphs with Label, Fingerprint, Expires and Packet; the fingerprint must match the packet."""
    for fields in parse_paragraphs(text):
        packet = base64.b64decode(fields["Packet"].replace("\n", ""))
        key = parse_key_packet(packet, label=fields["Label"], expires=datetime.fromisoformat(fields["Expires"]))
        if key.fingerprint != fields["Fingerprint"]:
            raise SignatureError(f"trusted key `{fields['Fingerprint']}` is damaged: its packet is `{key.fingerprint}`")
        yield key


def parse_key_packet(packet: bytes, *, label: str, expires: datetime) -> PublicKey:
    """The key in the body of a version 4 public-key packet (RFC 9580 §5.5.2.2)."""
    if packet[0] != 4:
        raise SignatureError(f"key `{label}` has OpenPGP version {packet[0]}; only version 4 is understood")
    # RFC 9580 §5.5.4.2: SHA-1 over 0x99, two octets of length, the packet body.
    fingerprint = hashlib.sha1(b"\x99" + len(packet).to_bytes(2, "big") + packet, usedforsecurity=False).hexdigest()
    created = datetime.fromtimestamp(int.from_bytes(packet[1:5], "big"), UTC)
    algorithm, material = packet[5], packet[6:]
    modulus = exponent = 0
    point = b""
    if algorithm == RSA:
        modulus, rest = read_number(material)
        exponent, _ = read_number(rest)
    elif algorithm == EDDSA_LEGACY and material[1 : 1 + material[0]] == _ED25519_OID:
        encoded, _ = read_number(material[1 + material[0] :])
        point = encoded.to_bytes(33, "big")[1:]  # the first octet, 0x40, says: native encoding follows
    elif algorithm == ED25519:
        point = material[:32]
    else:
        raise SignatureError(f"key `{label}` uses public-key algorithm {algorithm}, which labbox cannot check")
    return PublicKey(
        label=label,
        fingerprint=fingerprint.upper(),
        algorithm=algorithm,
        created=created,
        expires=expires,
        modulus=modulus,
        exponent=exponent,
        point=point,
    )


def read_number(data: bytes) -> tuple[int, bytes]:
    """A multiprecision integer (RFC 9580 §3.2) and what follows it."""
    length = (int.from_bytes(data[:2], "big") + 7) // 8
    if len(data) < 2 + length:
        raise SignatureError("an OpenPGP number is cut short")
    return int.from_bytes(data[2 : 2 + length], "big"), data[2 + length :]
