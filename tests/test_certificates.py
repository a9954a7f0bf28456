from pathlib import Path

import pytest

from labbox.certificates import ca_bundle_variables, host_ca_bundle


def test_the_users_own_bundle_comes_first_behind_its_links(tmp_path: Path) -> None:
    (tmp_path / "real.pem").write_text("certificate")
    (tmp_path / "link.pem").symlink_to("real.pem")
    assert host_ca_bundle({"SSL_CERT_FILE": str(tmp_path / "link.pem")}) == str(tmp_path / "real.pem")


@pytest.mark.parametrize("name", ["missing.pem", "empty.pem"])
def test_a_bundle_that_is_missing_or_empty_is_passed_over(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty.pem").touch()
    assert host_ca_bundle({"SSL_CERT_FILE": str(tmp_path / name)}) == host_ca_bundle({})


def test_every_variable_names_the_bundle() -> None:
    variables = ca_bundle_variables("/run/ca.crt")
    assert {"SSL_CERT_FILE=/run/ca.crt", "PIP_CERT=/run/ca.crt"} <= set(variables)
    assert all(entry.endswith("=/run/ca.crt") for entry in variables)
