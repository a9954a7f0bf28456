from typing import Any

import pytest

from labbox.errors import UsageError
from labbox.oci.platform import Platform, machine_platform, parse_platform, serves


@pytest.mark.parametrize(
    ("machine", "expected"),
    [("x86_64", "linux/amd64"), ("aarch64", "linux/arm64"), ("armv7l", "linux/arm/v7"), ("mips", "linux/mips")],
)
def test_a_machine_has_the_name_that_images_use(machine: str, expected: Any) -> None:
    assert str(machine_platform(machine)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("linux/amd64", Platform("linux", "amd64")),
        ("Linux/x86_64", Platform("linux", "amd64")),
        ("arm64", Platform("linux", "arm64")),
        ("linux/arm64/v8", Platform("linux", "arm64")),
        ("linux/arm/v6", Platform("linux", "arm", "v6")),
        ("windows/amd64", Platform("windows", "amd64")),
    ],
)
def test_a_platform_is_read_as_docker_reads_it(text: str, expected: Any) -> None:
    assert parse_platform(text) == expected


@pytest.mark.parametrize("text", ["", "linux/", "a/b/c/d", "toaster"])
def test_other_texts_are_no_platform(text: str) -> None:
    with pytest.raises(UsageError, match="invalid platform"):
        parse_platform(text)


def test_an_image_serves_its_own_machine_and_no_other() -> None:
    assert serves(Platform("linux", "arm64", "v8"), Platform("linux", "arm64"))
    assert serves(Platform("linux", "arm"), Platform("linux", "arm", "v7"))
    assert not serves(Platform("linux", "arm", "v6"), Platform("linux", "arm", "v7"))
    assert not serves(Platform("linux", "amd64"), Platform("linux", "arm64"))
