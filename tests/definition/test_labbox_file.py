"""labbox.toml: every key, and every fault at once."""

import pytest

from labbox.definition.labbox_file import parse_toml, read_labbox_table
from labbox.definition.values import (
    ContainerRequest,
    CustomService,
    Definition,
    HealthCheck,
    PythonRequest,
    ServicesRequest,
)
from labbox.errors import UsageError

EVERY_KEY = """
[lab]
name = "tensorflow"
system = "debian:12"
python = "3.11"

[packages]
python = ["tensorflow-cpu==2.21.*", "matplotlib", "tool @ https://example.org/tool-1-py3-none-any.whl"]
requirements = "requirements.txt"
project = true
groups = ["dev"]
system = ["git", "graphviz=2.42.2-7"]
indexes = ["https://example.org/simple"]
find_links = ["wheels"]

[services]
jupyter = false
tensorboard = { logdir = "runs/all" }
ssh = true
desktop = { enabled = true }

[services.web]
command = "python -m http.server 8000"
port = 8000
health = "/"

[services.worker]
command = ["python", "work.py"]
health = { timeout = 5 }
environment = { THREADS = 4 }
folder = "jobs"

[container]
gpus = 2
memory = "8g"
cpus = 1.5
shm_size = 1048576
environment = { TF_CPP_MIN_LOG_LEVEL = "1" }
mounts = ["~/datasets:/data:ro", "results:/results"]
ports = ["5000:5000", "127.0.0.1:6000-6001:7000-7001/udp"]
network = "bridge"
after_create = "make data"
"""


def read(text: str, name: str = "folder") -> Definition:
    return read_labbox_table(parse_toml(text, "labbox.toml"), file_name="labbox.toml", default_name=name)


def faults_of(text: str) -> list[str]:
    with pytest.raises(UsageError) as caught:
        read(text)
    first, *lines = caught.value.message.splitlines()
    assert first == f"`labbox.toml` has {len(lines)} fault{'s' if len(lines) > 1 else ''}:"
    return [line.strip() for line in lines]


def test_every_key_is_read() -> None:
    assert read(EVERY_KEY) == Definition(
        name="tensorflow",
        system="debian:12",
        system_packages=("git", "graphviz=2.42.2-7"),
        python=PythonRequest(
            version="3.11",
            packages=("tensorflow-cpu==2.21.*", "matplotlib", "tool @ https://example.org/tool-1-py3-none-any.whl"),
            files=("requirements.txt",),
            project=True,
            groups=("dev",),
            indexes=("https://example.org/simple",),
            find_links=("wheels",),
        ),
        services=ServicesRequest(
            jupyter=False,
            tensorboard="runs/all",
            ssh=True,
            desktop=True,
            custom=(
                CustomService(
                    name="web",
                    command=("python -m http.server 8000",),
                    shell=True,
                    port=8000,
                    health=HealthCheck(path="/"),
                ),
                CustomService(
                    name="worker",
                    command=("python", "work.py"),
                    health=HealthCheck(timeout_seconds=5.0),
                    environment=(("THREADS", "4"),),
                    folder="/workspace/jobs",
                ),
            ),
        ),
        container=ContainerRequest(
            gpus="2",
            memory_bytes=8 << 30,
            cpus=1.5,
            shm_bytes=1 << 20,
            environment=(("TF_CPP_MIN_LOG_LEVEL", "1"),),
            mounts=("~/datasets:/data:ro", "results:/results"),
            ports=("5000:5000", "127.0.0.1:6000-6001:7000-7001/udp"),
            network="auto",
        ),
        after_create=("make data",),
        sources=("labbox.toml",),
    )


def test_an_empty_file_is_a_lab_with_defaults() -> None:
    assert read("") == Definition(name="folder", sources=("labbox.toml",))


def test_all_faults_are_reported_at_once_each_with_its_path() -> None:
    text = """
        memory = "8g"
        [lab]
        pyton = "3.13"
        python = 3.13
        system = "Dockerfile"
        [packages]
        python = ["numpy", "-r other.txt", "git+https://example.org/x"]
        system = ["Git"]
        [services]
        jupiter = true
        [services.web]
        port = 8888
        health = "/"
        [services."My App"]
        command = []
        [container]
        memory = "8 gigs"
        ports = ["5000:80", "99999:1", "5000:5000"]
        mounts = ["data:relative"]
        environment = { A = true }
        network = "brige"
        """
    assert faults_of(text) == [
        "memory: unknown table; did you mean `container.memory`?",
        "lab.pyton: unknown key; did you mean `python`?",
        'lab.python: expected a version such as "3.13", got 3.13 (write it in quotes)',
        (
            'lab.system: expected a Debian release ("debian:13"), an image or "./Dockerfile", got "Dockerfile" '
            "(a file in the project folder begins with ./)"
        ),
        (
            'packages.python[1]: expected a requirement such as "numpy>=2", got "-r other.txt" '
            "(options belong in a requirements file)"
        ),
        (
            'packages.python[2]: expected a requirement such as "numpy>=2", got "git+https://example.org/x" '
            "(write it as `name @ address`)"
        ),
        'packages.system[0]: expected a Debian package such as "git", got "Git"',
        "services.jupiter: unknown service; did you mean `jupyter`?",
        "services.web.command: missing required value",
        'services."My App": expected a name of lower-case letters, digits, - and _, got "My App"',
        'services."My App".command: expected a list of words such as ["python", "serve.py"], got a list',
        'container.memory: expected a size such as "8g", got "8 gigs"',
        'container.ports[1]: expected a port such as "5000:5000", got "99999:1" (ports go from 1 to 65535)',
        (
            'container.mounts[0]: expected a mount such as "~/datasets:/data:ro", got "data:relative" '
            "(the place in the container must be an absolute path, and not /)"
        ),
        "container.environment.A: expected a value in quotes, got true",
        'container.network: expected "auto", "host" or "none", got "brige"',
        "services.web.port: port 8888 is taken by the service `jupyter`",
        "container.ports[2]: port 5000/tcp of the host is published twice",
    ]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("lab = 1", "lab: expected a table, got 1"),
        ("services.web.command = 7", "services.web.command: expected a line for the shell, or a list of words, got 7"),
        (
            'services.web = { command = "x", health = "/" }',
            "services.web.health: a path needs the `port` that answers it",
        ),
        (
            "services.a = {command='x', port=80}\nservices.b = {command='x', port=80}",
            "services.b.port: port 80 is taken by the service `a`",
        ),
        (
            'services.tensorboard.logdir = "../logs"',
            'services.tensorboard.logdir: expected a folder in the project folder, or an absolute path, got "../logs"',
        ),
        ("container.cpus = 0", "container.cpus: expected a number of processors such as 2, got 0"),
        ("container.cpus = nan", "container.cpus: expected a number of processors such as 2, got nan"),
        ('container.memory = "8g\\n"', 'container.memory: expected a size such as "8g", got "8g\\n"'),
        (
            'packages.requirements = "/etc/requirements.txt"',
            'packages.requirements: expected a path inside the project folder, got "/etc/requirements.txt"',
        ),
        ("lab.name = 2026-01-01", "lab.name: expected a name, got 2026-01-01"),
    ],
)
def test_a_fault_says_what_was_expected(line: str, fault: str) -> None:
    assert faults_of(line) == [fault]


def test_a_broken_file_names_the_place() -> None:
    with pytest.raises(UsageError, match=r"cannot read `labbox.toml` as TOML: .*line 2"):
        read("[lab]\nname = = 1")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("My Lab!", "my-lab"),
        ("Größe", "grosse"),
        ("実験", "lab-8d2062"),
        ("q", "lab-q"),
        (".hidden", "hidden"),
        ("a" * 99, "a" * 63),
    ],
)
def test_a_folders_name_becomes_a_labs_name(text: str, name: str) -> None:
    assert read("", text).name == name


def test_a_name_that_was_changed_is_told() -> None:
    assert read('lab.name = "My Lab"').notes[0].startswith("The lab is called `my-lab`")


@pytest.mark.parametrize(("version", "system"), [("3.13", "debian:13"), ("3.11", "debian:12"), ("2.7", "debian:11")])
def test_without_a_system_the_release_with_the_wanted_python_is_chosen(version: str, system: str) -> None:
    assert read(f'lab.python = "{version}"').system == system


@pytest.mark.parametrize(
    ("text", "gpus"),
    [
        ('"auto"', "auto"),
        ('"none"', None),
        ("false", None),
        ("true", "all"),
        ("1", "1"),
        ('"device=0,1"', "device=0,1"),
    ],
)
def test_gpus_are_asked_for_in_many_ways(text: str, gpus: str | None) -> None:
    assert read(f"container.gpus = {text}").container.gpus == gpus


def test_tensorboard_may_read_a_folder_outside_the_project() -> None:
    assert read('services.tensorboard.logdir = "/tmp/logs"').services.tensorboard == "/tmp/logs"
    assert read("services.tensorboard = false").services.tensorboard is None
    assert read("services.tensorboard = {}").services.tensorboard == "logs"
