from datetime import UTC, datetime, timedelta

import pytest

from labbox.errors import SignatureError
from labbox.packages.debian.openpgp import verify_cleartext
from labbox.packages.debian.trusted_keys import EDDSA_LEGACY, RSA, load_archive_keys, read_keys
from packages.debian.signing import archive_key, sign_cleartext

_NOW = datetime(2026, 5, 1, tzinfo=UTC)
_TEXT = "Origin: Test\n- dashed\nDate: today  \n"


def _verify(document: bytes) -> str:
    return verify_cleartext(document, [archive_key()], now=_NOW, where="here").text


def _signed() -> bytes:
    return sign_cleartext(_TEXT, signed_at=_NOW)


def test_the_signed_text_comes_back_without_escapes_and_trailing_blanks() -> None:
    assert _verify(_signed()) == "Origin: Test\n- dashed\nDate: today\n"


def test_the_signer_is_named() -> None:
    verified = verify_cleartext(_signed(), [archive_key()], now=_NOW, where="here")
    assert (verified.signers, verified.signed_at) == (("Test Archive Key",), _NOW)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Origin: Test", b"Origin: Evil"),
        (b"Origin: Test\n", b""),
        (b"Origin: Test\n", b"Origin: Test\nMore: x\n"),
    ],
)
def test_a_changed_text_is_refused(old: bytes, new: bytes) -> None:
    with pytest.raises(SignatureError, match="does not match the text"):
        _verify(_signed().replace(old, new, 1))


@pytest.mark.parametrize(
    "document",
    [
        b"Origin: Evil\n" + _signed(),
        _signed() + b"Origin: Evil\n",
        _signed() + _signed(),
        _signed().replace(b"Hash: SHA256\n", b"Hash: SHA256\nOrigin: Evil\n", 1),
        _signed().replace(b"- - dashed", b"- dashed\n-dashed", 1),
        _signed().replace(b"-----BEGIN PGP SIGNATURE-----", b"", 1),
        b"",
        b"-----BEGIN PGP SIGNED MESSAGE-----\n",
    ],
)
def test_a_document_with_text_outside_of_its_signature_is_refused(document: bytes) -> None:
    with pytest.raises(SignatureError, match="cannot trust index `here`"):
        _verify(document)


def test_a_damaged_signature_block_is_refused() -> None:
    document = _signed()
    start = document.index(b"SIGNATURE-----\n\n") + 20
    with pytest.raises(SignatureError):
        _verify(document[:start] + b"!!" + document[start + 2 :])


def test_every_cut_of_a_document_is_refused() -> None:
    document = _signed()
    for length in range(0, len(document) - 1, 37):
        with pytest.raises(SignatureError):
            _verify(document[:length])


def test_a_signature_by_another_key_is_refused() -> None:
    with pytest.raises(SignatureError, match="no signature is by a trusted key"):
        verify_cleartext(_signed(), load_archive_keys(), now=_NOW, where="here")


def test_an_expired_key_is_refused() -> None:
    key = archive_key(expires=_NOW - timedelta(days=1))
    with pytest.raises(SignatureError, match="the key is valid from"):
        verify_cleartext(_signed(), [key], now=_NOW, where="here")


def test_a_signature_from_the_future_is_refused() -> None:
    document = sign_cleartext(_TEXT, signed_at=_NOW + timedelta(days=3))
    with pytest.raises(SignatureError, match="from the future"):
        _verify(document)


@pytest.mark.parametrize(("hash_number", "kind"), [(2, 1), (1, 1), (8, 0), (8, 0x10)])
def test_weak_hashes_and_other_kinds_of_signature_do_not_count(hash_number: int, kind: int) -> None:
    document = sign_cleartext(_TEXT, signed_at=_NOW, hash_number=hash_number, kind=kind)
    with pytest.raises(SignatureError, match="no signature is by a trusted key"):
        _verify(document)


def test_the_keys_of_the_archive_that_ship_with_labbox_are_whole() -> None:
    keys = load_archive_keys()
    assert len({key.fingerprint for key in keys}) == len(keys) == 9
    assert {key.algorithm for key in keys} == {RSA, EDDSA_LEGACY}
    assert all(key.modulus.bit_length() == 4096 for key in keys if key.algorithm == RSA)


def test_a_key_that_is_not_its_fingerprint_is_refused() -> None:
    text = "Label: x\nFingerprint: 00\nExpires: 2030-01-01T00:00:00Z\nPacket:\n BGAEHQwBAAgBAAgD\n"
    with pytest.raises(SignatureError, match="is damaged"):
        list(read_keys(text))
