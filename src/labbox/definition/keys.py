"""Every key of a labbox file in one table, from which the parser and the JSON schema are made."""

from collections.abc import Iterator

from labbox.definition import notation
from labbox.definition.kinds import Either, Key, ListOf, MapOf, Number, Switch, Table, Text


def _plain(value: object) -> str:
    return str(value)


_SYSTEM = Text(
    expected='a Debian release ("debian:13"), an image or "./Dockerfile"', parse=notation.parse_system, pattern="."
)
_VERSION = Text(
    expected='a version such as "3.13"', parse=notation.parse_python_version, pattern=notation.PYTHON_VERSION
)
_LINE = Text(expected="a text that is not empty", parse=notation.parse_line, pattern=r"\S")
_INNER_PATH = Text(expected="a path inside the project folder", parse=notation.parse_inner_path, pattern=r"^[^/\u0000]")
_PORT = Number(
    expected=f"a port from 1 to {notation.HIGHEST_PORT}", minimum=1, maximum=notation.HIGHEST_PORT, whole=True
)
_SIZE = Either(
    expected='a size such as "8g"',
    kinds=(
        Text(expected='a size such as "8g"', parse=notation.parse_size, pattern=notation.SIZE),
        Number(expected='a size such as "8g"', minimum=0, maximum=notation.LARGEST_SIZE, whole=True),
    ),
)
_ENVIRONMENT = MapOf(
    expected='a table such as { NAME = "value" }',
    name=Text(expected="a variable's name", parse=notation.parse_variable_name, pattern=notation.VARIABLE_NAME),
    item=Either(
        expected="a value in quotes",
        kinds=(
            Text(expected="a value in quotes", parse=notation.parse_value),
            Number(expected="a number", minimum=-(2.0**63), maximum=2.0**63, parse=_plain),
        ),
    ),
)
_WORDS = ListOf(expected='a list of words such as ["python", "serve.py"]', item=_LINE, minimum=1)


def _list_of(expected: str, item: Text) -> ListOf:
    return ListOf(expected=expected, item=item)


def _one_or_more(expected: str, item: Text) -> Either:
    one = Text(
        expected=item.expected, parse=lambda text: (item.parse(text),), pattern=item.pattern, choices=item.choices
    )
    return Either(expected=expected, kinds=(one, _list_of(expected, item)))


def _switch(*more: Key) -> Either:
    enabled = Key(name="enabled", kind=Switch(), help="False switches the service off")
    expected = "true, false or a table" if more else "true or false"
    return Either(expected=expected, kinds=(Switch(), Table(keys=(enabled, *more))))


LAB = Table(
    keys=(
        Key(
            name="name",
            kind=Text(expected="a name", parse=notation.parse_line, pattern=r"\S"),
            help="The lab's name; the folder's name by default",
        ),
        Key(
            name="system",
            kind=_SYSTEM,
            help="A Debian release (debian:13, the default), any image reference, or the path of a Dockerfile "
            "that begins with ./",
        ),
        Key(name="python", kind=_VERSION, help="The version of Python, such as 3.13; the system's own by default"),
    )
)
PACKAGES = Table(
    keys=(
        Key(
            name="python",
            kind=_list_of(
                'a list such as ["numpy", "torch==2.*"]',
                Text(expected='a requirement such as "numpy>=2"', parse=notation.parse_requirement, pattern=r"\S"),
            ),
            help="Python packages, as pip's requirements (PEP 508)",
        ),
        Key(
            name="requirements",
            kind=_one_or_more('a file such as "requirements.txt", or a list of them', _INNER_PATH),
            help="Requirements files (pip's format) whose packages are wanted too",
        ),
        Key(
            name="project",
            kind=Switch(),
            help="True: pyproject.toml, with uv.lock where there is one, lists Python packages too",
        ),
        Key(
            name="groups",
            kind=_list_of(
                'a list such as ["dev"]',
                Text(expected="a group's name", parse=notation.parse_word, pattern=r"^\S+$"),
            ),
            help="Dependency groups of pyproject.toml that are wanted too (PEP 735)",
        ),
        Key(
            name="system",
            kind=_list_of(
                'a list such as ["git", "graphviz"]',
                Text(
                    expected='a Debian package such as "git"',
                    parse=notation.parse_system_package,
                    pattern=notation.SYSTEM_PACKAGE,
                ),
            ),
            help="System packages: Debian's names",
        ),
        Key(
            name="indexes",
            kind=_list_of(
                'a list of addresses such as ["https://pypi.org/simple"]',
                Text(expected="an address", parse=notation.parse_word, pattern=r"^\S+$"),
            ),
            help="Package indexes, asked before PyPI in this order",
        ),
        Key(
            name="find_links",
            kind=_list_of(
                'a list such as ["wheels"]', Text(expected="an address or a folder", parse=notation.parse_line)
            ),
            help="Folders or pages with wheels",
        ),
    )
)
_HEALTH = Either(
    expected='a path such as "/health", or a table',
    kinds=(
        Text(expected='a path such as "/health"', parse=notation.parse_health_path, pattern=r"^/\S*$"),
        Table(
            keys=(
                Key(
                    name="path",
                    kind=Text(expected='a path such as "/health"', parse=notation.parse_health_path, pattern=r"^/\S*$"),
                    help="The HTTP path that answers when the service is ready; without it a connection is enough",
                ),
                Key(
                    name="timeout",
                    kind=Number(expected="a number of seconds", minimum=0.1, maximum=86400),
                    help="How many seconds the service may take until it answers; 60 by default",
                ),
            )
        ),
    ),
)
CUSTOM_SERVICE = Table(
    keys=(
        Key(
            name="command",
            kind=Either(expected="a line for the shell, or a list of words", kinds=(_LINE, _WORDS)),
            help="The program: one line for the shell, or a list of words",
            required=True,
        ),
        Key(name="port", kind=_PORT, help="The port that it listens on"),
        Key(name="health", kind=_HEALTH, help="How one sees that it answers: an HTTP path on its port"),
        Key(name="environment", kind=_ENVIRONMENT, help="Variables for this service alone"),
        Key(
            name="folder",
            kind=Text(expected="a folder", parse=notation.parse_container_path, pattern="."),
            help="The folder it starts in; the project folder by default",
        ),
    )
)
SERVICES = Table(
    keys=(
        Key(name="jupyter", kind=_switch(), help="JupyterLab; on by default"),
        Key(
            name="tensorboard",
            kind=_switch(
                Key(
                    name="logdir",
                    kind=Text(
                        expected="a folder in the project folder, or an absolute path",
                        parse=notation.parse_log_folder,
                        pattern=".",
                    ),
                    help="The folder of logs; `logs` in the project folder by default",
                )
            ),
            help="TensorBoard; on by default",
        ),
        Key(name="ssh", kind=_switch(), help="An ssh server; off by default"),
        Key(name="desktop", kind=_switch(), help="A desktop in the browser for windows; off by default"),
    ),
    what="service",
    others=CUSTOM_SERVICE,
    other_name=Text(
        expected="a name of lower-case letters, digits, - and _",
        parse=notation.parse_service_name,
        pattern=notation.SERVICE_NAME,
    ),
)
_GPUS = Either(
    expected='"auto", "all", "none", a number, or "device=0,1"',
    kinds=(
        Text(
            expected='"auto", "all", "none", a number, or "device=0,1"',
            parse=notation.parse_gpus,
            pattern=r"^(auto|all|none|[1-9][0-9]{0,2}|device=[A-Za-z0-9,:.-]+)$",
        ),
        Number(expected="a number of GPUs", minimum=1, maximum=999, whole=True, parse=_plain),
        Switch(parse=lambda is_on: "all" if is_on else "none"),
    ),
)
CONTAINER = Table(
    keys=(
        Key(name="gpus", kind=_GPUS, help="GPUs: auto (the default) uses them if present"),
        Key(name="memory", kind=_SIZE, help="The most memory the lab may use, such as 8g"),
        Key(
            name="cpus",
            kind=Number(expected="a number of processors such as 2", minimum=0.01, maximum=65536),
            help="How many processors the lab may use",
        ),
        Key(name="shm_size", kind=_SIZE, help="The size of /dev/shm, such as 2g"),
        Key(name="environment", kind=_ENVIRONMENT, help="Variables for every program in the lab"),
        Key(
            name="mounts",
            kind=_list_of(
                'a list such as ["~/datasets:/data:ro"]',
                Text(expected='a mount such as "~/datasets:/data:ro"', parse=notation.check_mount, pattern="/"),
            ),
            help="Folders and volumes, as docker's -v writes them; a relative folder begins at the project folder",
        ),
        Key(
            name="ports",
            kind=_list_of(
                'a list such as ["5000:5000"]',
                Text(expected='a port such as "5000:5000"', parse=notation.parse_published, pattern=r"[0-9]"),
            ),
            help="Published ports, as docker's -p writes them",
        ),
        Key(
            name="network",
            kind=Text(
                expected='"auto", "host" or "none"', parse=notation.parse_network, choices=notation.NETWORKS
            ),
            help="auto (a network of its own, the default), host or none",
        ),
        Key(
            name="after_create",
            kind=_one_or_more("a line for the shell, or a list of them", _LINE),
            help="Lines for the shell, run once in a new container",
        ),
    )
)  # fmt: skip
LABBOX_FILE = Table(
    keys=(
        Key(name="lab", kind=LAB, help="What the lab is made of"),
        Key(name="packages", kind=PACKAGES, help="What is installed in it"),
        Key(name="services", kind=SERVICES, help="What one opens in it"),
        Key(name="container", kind=CONTAINER, help="How it is run"),
    ),
    what="table",
)


def homes_of_keys() -> dict[str, str]:
    """For every key of a section its full path, to tell someone who wrote it elsewhere."""
    return {name: path for path, name in _keys_of_sections()}


def _keys_of_sections() -> Iterator[tuple[str, str]]:
    for section in LABBOX_FILE.keys:
        if isinstance(section.kind, Table):
            for key in section.kind.keys:
                yield f"{section.name}.{key.name}", key.name
