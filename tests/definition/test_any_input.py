"""Whatever a file holds, reading it gives a definition or a UsageError, never anything else."""

import contextlib
import json
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from labbox.definition.keys import LABBOX_FILE
from labbox.definition.kinds import Table
from labbox.definition.labbox_file import read_labbox_table
from labbox.definition.names import make_lab_name
from labbox.definition.schema import make_schema
from labbox.definition.sources import READ_FILES, Files, define
from labbox.errors import UsageError

SCHEMA = Draft7Validator(make_schema())
TABLES = {key.name: key.kind for key in LABBOX_FILE.keys if isinstance(key.kind, Table)}
SECTIONS = {name: [key.name for key in table.keys] for name, table in TABLES.items()}
SPELLINGS = st.sampled_from([
    "8g", "1.5 GiB", "debian:13", "./Dockerfile", "3.13", "numpy", "a[b]>=1; python_version<'4'", "/x", "../x", "a:/b",
    "5000:5000", "80", "1-3:4-6", "auto", "all", "device=0", "host", "git", "requirements.txt", "~/x:/y:ro",
])  # fmt: skip
SCALARS = st.one_of(
    SPELLINGS, st.text(max_size=12), st.booleans(), st.integers(), st.floats(), st.dates(), st.just(8888), st.just("")
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
SERVICES = st.dictionaries(
    st.sampled_from(["command", "port", "health", "environment", "folder", "path"]), VALUES, max_size=4
)


def section(name: str) -> st.SearchStrategy[Any]:
    names = st.sampled_from(SECTIONS[name]) | st.text(max_size=5)
    values = VALUES | SERVICES if name == "services" else VALUES
    return st.dictionaries(names, values, max_size=5)


DOCUMENTS = st.fixed_dictionaries({}, optional={name: section(name) | VALUES for name in SECTIONS})


@given(DOCUMENTS | VALUES)
def test_any_toml_is_a_definition_or_a_usage_error_and_the_schema_accepts_what_the_parser_accepts(
    document: object,
) -> None:
    try:
        definition = read_labbox_table(document, file_name="labbox.toml", default_name="x")
    except UsageError:
        return
    assert isinstance(hash(definition), int)
    assert SCHEMA.is_valid(json.loads(json.dumps(document, default=str)))


@given(st.dictionaries(st.sampled_from(READ_FILES), st.text(max_size=80)))
def test_any_text_in_any_file_is_a_definition_or_a_usage_error(texts: dict[str, str]) -> None:
    with contextlib.suppress(UsageError):
        define(Files(folder_name="x", texts=texts, present=frozenset(texts)))


DEVCONTAINER_KEYS = st.sampled_from(
    ["image", "build", "dockerFile", "context", "forwardPorts", "appPort", "mounts", "remoteEnv", "postCreateCommand"]
)
CONDA = st.dictionaries(
    st.sampled_from(["name", "dependencies", "variables", "channels"]),
    VALUES | st.lists(SPELLINGS | st.dictionaries(st.just("pip"), VALUES)),
    max_size=3,
)


@given(st.dictionaries(DEVCONTAINER_KEYS, VALUES, max_size=4), CONDA)
def test_any_json_and_yaml_is_a_definition_or_a_usage_error(devcontainer: object, environment: object) -> None:
    texts = {
        ".devcontainer.json": json.dumps(devcontainer, default=str),
        "environment.yml": yaml.safe_dump(environment, allow_unicode=False),
    }
    with contextlib.suppress(UsageError):
        hash(define(Files(folder_name="x", texts=texts, present=frozenset(texts))))


@given(st.text())
def test_every_name_becomes_a_good_one(text: str) -> None:
    name = make_lab_name(text)

    assert name[0].isalnum()
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_.-")
    assert make_lab_name(name) == name
