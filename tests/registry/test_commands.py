"""The commands against Debian's docker-registry, with skopeo and the Docker Engine as peers."""

import json
import subprocess
from collections.abc import Iterator

import pytest

from harness.dockerd import Docker
from harness.laboratory import TINY, Lab
from harness.modes import only_root
from registry.debian_registry import DebianRegistry


@pytest.fixture
def name(lab: Lab, registry: DebianRegistry, request: pytest.FixtureRequest) -> Iterator[str]:
    """An image of two layers, under a name on the registry that this test alone uses."""
    made = f"{registry.host}/test/{abs(hash((request.node.name, lab.mode)))}:1"
    lab.output("run", "--name", "maker", TINY, "sh", "-c", "echo added > /added; ln -s /added /link; chown 1000 /added")
    lab.output("commit", "maker", made)
    lab.output("rm", "maker")
    yield made
    forget(lab, made)


def forget(lab: Lab, *names: str) -> None:
    for name in names:
        lab("rmi", "-f", name)
    lab("image", "prune", "-f")


def look(lab: Lab, name: str) -> str:
    return lab.output("run", "--rm", "--pull", "never", name, "sh", "-c", "stat -c '%u %N' /added /link; cat /added")


def digest_of(lab: Lab, name: str) -> str:
    lines = lab.output("images", "--digests", "--format", "{{.Repository}}:{{.Tag}} {{.Digest}}").splitlines()
    return next(line.split()[1] for line in lines if line.split()[0] == name)


def inspect(name: str) -> dict[str, object]:
    done = subprocess.run(
        ["skopeo", "inspect", "--tls-verify=false", f"docker://{name}"], check=True, capture_output=True, text=True
    )
    document: dict[str, object] = json.loads(done.stdout)
    return document


def test_what_was_pushed_is_pulled_again_and_is_the_same(lab: Lab, name: str) -> None:
    before, digest = look(lab, name), digest_of(lab, name)

    pushed = lab.output("push", name)
    forget(lab, name)
    pulled = lab.output("pull", name)

    assert pushed.splitlines()[0] == f"The push refers to repository [{name.removesuffix(':1')}]"
    assert pushed.splitlines()[-1].startswith(f"1: digest: {digest} size: ")
    assert pulled.splitlines()[-3:] == [f"Digest: {digest}", f"Status: Downloaded newer image for {name}", name]
    assert look(lab, name) == before
    assert digest_of(lab, name) == digest


@only_root
def test_a_second_push_and_a_second_pull_move_nothing(lab: Lab, name: str) -> None:
    first = json.loads(lab.output("push", "--json", name))

    assert first[0]["sent_bytes"] > 0
    assert json.loads(lab.output("push", "--json", name))[0]["sent_bytes"] == 0
    assert f"Status: Image is up to date for {name}" in lab.output("pull", name)


@only_root
def test_layers_that_the_registry_has_elsewhere_are_mounted(lab: Lab, name: str) -> None:
    lab.output("push", name)
    other = name.replace("/test/", "/other/")
    lab.output("tag", name, other)

    lines = lab.output("push", other).splitlines()

    path = name.split("/", 1)[1].removesuffix(":1")
    assert sum(line.endswith(f": Mounted from {path}") for line in lines) == 2
    forget(lab, other)


@only_root
def test_run_pulls_an_image_that_is_not_here(lab: Lab, name: str) -> None:
    lab.output("push", name)
    forget(lab, name)

    refused = lab("run", "--rm", "--pull", "never", name, "true")
    done = lab("run", "--rm", name, "cat", "/added")
    again = lab("run", "--rm", name, "cat", "/added")
    always = lab("run", "--rm", "--pull", "always", "--quiet", name, "cat", "/added")

    assert refused.returncode == 125
    assert done.stdout == again.stdout == always.stdout == "added\n"
    assert done.stderr.splitlines()[0] == f"Unable to find image '{name}' locally"
    assert done.stderr.splitlines()[-1] == f"Status: Downloaded newer image for {name}"
    assert again.stderr == always.stderr == ""


@only_root
def test_an_image_is_pulled_and_run_by_its_digest(lab: Lab, name: str) -> None:
    lab.output("push", name)
    by_digest = f"{name.removesuffix(':1')}@{digest_of(lab, name)}"
    forget(lab, name)

    assert lab("run", "--rm", by_digest, "cat", "/added").stdout == "added\n"
    assert lab.output("run", "--rm", "--pull", "never", by_digest, "cat", "/added") == "added"
    forget(lab, by_digest)


@only_root
def test_all_tags_go_both_ways(lab: Lab, name: str) -> None:
    repository = name.removesuffix(":1")
    lab.output("tag", TINY, f"{repository}:2")

    lab.output("push", "--all-tags", repository)
    forget(lab, name, f"{repository}:2")
    lab.output("pull", "--all-tags", "--quiet", repository)

    assert sorted(lab.output("images", repository, "--format", "{{.Tag}}").split()) == ["1", "2"]
    forget(lab, f"{repository}:2")


@only_root
def test_skopeo_reads_what_labbox_pushes(lab: Lab, name: str) -> None:
    lab.output("push", name)

    found = inspect(name)

    assert found["Digest"] == digest_of(lab, name)
    assert len(found["Layers"]) == 2  # type: ignore[arg-type]


@only_root
@pytest.mark.parametrize("form", ["v2s2", "oci"])
def test_labbox_reads_what_skopeo_pushes(lab: Lab, name: str, form: str) -> None:
    lab.output("push", name)
    copy = name.replace("/test/", "/copied/")
    subprocess.run(
        ["skopeo", "copy", "--src-tls-verify=false", "--dest-tls-verify=false", "--format", form, "--dest-compress",
         f"docker://{name}", f"docker://{copy}"],
        check=True, capture_output=True,
    )  # fmt: skip
    before = look(lab, name)

    lab.output("pull", copy)

    assert look(lab, copy) == before
    forget(lab, copy)


@only_root
def test_docker_and_labbox_exchange_images(lab: Lab, docker: Docker, name: str) -> None:
    lab.output("push", name)
    script = "stat -c '%u %N' /added /link; cat /added"

    pulled = docker("pull", name)
    assert pulled.returncode == 0, pulled.stderr
    assert docker("run", "--rm", "--network", "none", name, "sh", "-c", script).stdout.rstrip() == look(lab, name)

    docker("run", "--network", "none", "--name", "docked", name, "sh", "-c", "echo more > /more; rm /link")
    back = name.replace("/test/", "/docked/")
    docker("commit", "docked", back)
    pushed = docker("push", back)
    assert pushed.returncode == 0, pushed.stderr
    lab.output("pull", back)
    assert lab.output("run", "--rm", back, "sh", "-c", "cat /more /added; ls /link 2>&1 | wc -l") == "more\nadded\n1"
    docker("rmi", "-f", name, back)
    forget(lab, back)


@only_root
def test_of_several_platforms_the_right_one_comes(lab: Lab, name: str, registry: DebianRegistry) -> None:
    from http.client import HTTPConnection  # noqa: PLC0415  (the one test that writes to a registry by hand)

    lab.output("push", name)
    found, machine = inspect(name), lab.output("info", "--format", "{{.Architecture}}")
    here = "arm64" if machine == "aarch64" else "amd64"
    path = name.split("/", 1)[1].removesuffix(":1")
    connection = HTTPConnection(registry.host)
    connection.request(
        "GET", f"/v2/{path}/manifests/1", headers={"Accept": "application/vnd.oci.image.manifest.v1+json"}
    )
    size = len(connection.getresponse().read())
    entry = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": found["Digest"], "size": size}
    index = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [entry | {"platform": {"os": "linux", "architecture": architecture}} for architecture in (here,)],
    }
    connection.request(
        "PUT", f"/v2/{path}/manifests/many", json.dumps(index), {"Content-Type": str(index["mediaType"])}
    )
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status == 201
    digest = answer.headers["Docker-Content-Digest"]
    forget(lab, name)
    many = name.replace(":1", ":many")

    assert f"Digest: {digest}" in lab.output("pull", many)
    assert lab.output("run", "--rm", "--pull", "never", many, "cat", "/added") == "added"
    by_digest = f"{many.removesuffix(':many')}@{digest}"
    assert lab.output("run", "--rm", "--pull", "never", by_digest, "cat", "/added") == "added"
    refused = lab("pull", "--platform", "linux/s390x", many)
    assert (refused.returncode, refused.stderr) == (
        1, f"labbox: no image for platform `linux/s390x`; there are: linux/{here}\n",
    )  # fmt: skip
    forget(lab, many)


@only_root
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pull", "HOST/test/nothing"], "manifest for HOST/test/nothing:latest not found: manifest unknown"),
        (["pull", "-a", "HOST/test/nothing"], "pull access denied for HOST/test/nothing, repository does not exist"),
        (["pull", "-a", "HOST/test/nothing:1"], "tag can't be used with --all-tags/-a"),
        (["push", "HOST/test/nothing"], "An image does not exist locally with the tag: HOST/test/nothing"),
        (["pull", "127.0.0.1:1/x"], "cannot reach `127.0.0.1:1`: [Errno 111] Connection refused"),
        (["pull", "HOST/UPPER"], "invalid reference format: repository name (UPPER) must be lowercase"),
    ],
)
def test_what_cannot_be_moved_is_told(lab: Lab, registry: DebianRegistry, arguments: list[str], message: str) -> None:
    done = lab(*(argument.replace("HOST", registry.host) for argument in arguments))

    assert done.returncode in (1, 125)
    assert done.stderr.startswith(f"labbox: {message.replace('HOST', registry.host)}")


@only_root
def test_login_lets_in_and_logout_out(lab: Lab, guarded_registry: DebianRegistry) -> None:
    host = guarded_registry.host
    lab.output("tag", TINY, f"{host}/tiny")

    refused = lab("push", f"{host}/tiny")
    assert refused.returncode == 1
    assert f"hint: Log in, or with another user: labbox login {host}" in refused.stderr

    wrong = lab("login", "-u", "alice", "--password-stdin", host, input="wrong")
    assert wrong.returncode == 1
    assert f"login attempt to http://{host}/v2/ failed with status: 401 Unauthorized" in wrong.stderr
    done = lab("login", "-u", "alice", "--password-stdin", host, input="secret\n")
    assert (done.returncode, done.stdout) == (0, "Login Succeeded\n")
    assert "WARNING! Your credentials are stored unencrypted in" in done.stderr

    lab.output("push", f"{host}/tiny")
    lab.output("pull", f"{host}/tiny")
    assert lab.output("search", f"{host}/ti", "--format", "{{.Name}}") == f"{host}/tiny"
    assert lab.output("logout", host) == f"Removing login credentials for {host}"
    assert lab.output("logout", host) == f"Not logged in to {host}"
    denied = lab("pull", f"{host}/tiny")
    assert denied.stderr.startswith(f"labbox: pull access denied for {host}/tiny, repository does not exist or may")
    forget(lab, f"{host}/tiny")


@only_root
def test_a_registry_without_a_search_is_looked_through(lab: Lab, name: str, registry: DebianRegistry) -> None:
    lab.output("push", name)
    repository = name.removesuffix(":1")

    done = lab("search", repository[:-3])

    assert done.stdout.splitlines()[0].split() == ["NAME", "DESCRIPTION", "STARS", "OFFICIAL", "AUTOMATED"]
    assert done.stdout.splitlines()[1].split() == [repository, "0"]
    assert done.stderr.startswith("This registry has no search")
    assert json.loads(lab.output("search", "--json", repository))[0]["name"] == repository
    assert lab.output("search", "--format", "{{.Name}}", f"{registry.host}/nosuch") == ""
