import pytest

from labbox.packages.debian.ed25519 import is_valid_signature

# RFC 8032 section 7.1, tests 1 to 3: public key, message, signature.
_VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]


@pytest.mark.parametrize(("key", "message", "signature"), _VECTORS)
def test_the_vectors_of_the_standard_are_valid(key: str, message: str, signature: str) -> None:
    assert is_valid_signature(bytes.fromhex(key), bytes.fromhex(message), bytes.fromhex(signature))


@pytest.mark.parametrize("position", [0, 31, 32, 63])
def test_a_changed_signature_is_refused(position: int) -> None:
    key, message, signature = (bytearray.fromhex(text) for text in _VECTORS[1])
    signature[position] ^= 1
    assert not is_valid_signature(bytes(key), bytes(message), bytes(signature))


def test_a_changed_message_is_refused() -> None:
    key, _, signature = (bytes.fromhex(text) for text in _VECTORS[1])
    assert not is_valid_signature(key, b"\x73", signature)


def test_a_scalar_beyond_the_order_is_refused() -> None:
    key, message, signature = (bytes.fromhex(text) for text in _VECTORS[1])
    order = 2**252 + 27742317777372353535851937790883648493
    shifted = int.from_bytes(signature[32:], "little") + order
    assert not is_valid_signature(key, message, signature[:32] + shifted.to_bytes(32, "little"))


def test_what_is_no_point_is_refused() -> None:
    assert not is_valid_signature(b"\xff" * 32, b"", bytes(64))
    assert not is_valid_signature(b"short", b"", bytes(64))
