import hashlib

import pytest

from labbox.errors import UsageError
from labbox.oci.digest import Digest, parse_digest, sha256

HEX = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_a_digest_is_written_as_it_is_read() -> None:
    assert str(parse_digest(f"sha256:{HEX}")) == f"sha256:{HEX}"
    assert parse_digest("sha512:" + "0f" * 64) == Digest("sha512", "0f" * 64)


@pytest.mark.parametrize(
    "text",
    [
        "", "sha256", "sha256:", HEX, f"md5:{HEX[:32]}", f"sha256:{HEX[:-1]}", f"sha256:{HEX.upper()}",
        f"sha256:{HEX}0", f"sha256:{HEX[:-1]}/", "sha256:" + "..".ljust(64, "/"), f"sha512:{HEX}", f" sha256:{HEX}",
        f"sha256:{HEX}\n",
    ],
)  # fmt: skip
def test_anything_else_is_no_digest(text: str) -> None:
    with pytest.raises(UsageError, match="invalid digest"):
        parse_digest(text)


def test_the_digest_of_bytes_is_sha256() -> None:
    assert sha256(b"labbox").hex == hashlib.sha256(b"labbox").hexdigest()
    assert sha256(b"").short == HEX[:12]
