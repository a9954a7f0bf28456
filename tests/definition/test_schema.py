"""The JSON schema for editors is current, says what the parser says, and knows every key of the templates."""

import json
import tomllib
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from definition.test_labbox_file import EVERY_KEY, read
from labbox.definition.keys import CUSTOM_SERVICE, LABBOX_FILE
from labbox.definition.kinds import Table
from labbox.definition.schema import make_schema, render_schema
from labbox.definition.sources import PRECEDENCE
from labbox.definition.templates import PLAIN_LABBOX_TOML, TEMPLATES
from labbox.errors import UsageError

ROOT = Path(__file__).parents[2]


def is_valid(text: str) -> bool:
    return bool(Draft7Validator(make_schema()).is_valid(json.loads(json.dumps(tomllib.loads(text), default=str))))


def test_the_schema_in_docs_is_current() -> None:
    written = (ROOT / "docs" / "labbox.schema.json").read_text(encoding="utf-8")

    assert written == render_schema(), "run: python -m labbox.cli.labbox_schema"


def test_the_schema_is_one() -> None:
    Draft7Validator.check_schema(make_schema())


def test_every_key_is_in_the_schema() -> None:
    assert is_valid(EVERY_KEY)


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_passes_schema_and_parser_without_notes(name: str) -> None:
    text = (ROOT / "examples" / name / "labbox.toml").read_text(encoding="utf-8")

    assert is_valid(text)
    assert read(text, name).notes == ()


def test_the_plain_file_says_what_holds_without_it() -> None:
    assert is_valid(PLAIN_LABBOX_TOML)
    assert read(PLAIN_LABBOX_TOML) == read("")


def test_the_plain_files_comments_are_good_keys_too() -> None:
    lines = [line.removeprefix("# ") for line in PLAIN_LABBOX_TOML.splitlines() if " = " in line or "[" in line]
    text = "\n".join(lines)

    assert is_valid(text)
    assert read(text).services.custom[0].port == 8000


@pytest.mark.parametrize(
    "text",
    [
        "memory = 1",
        'lab.pyton = "3.13"',
        "lab.python = 3.13",
        'container.memory = "8 gigs"',
        "services.jupiter = true",
        "services.web = { port = 80 }",
        'services.Web = { command = "x" }',
        "services.web = { command = [] }",
        'container.network = "brige"',
        "container.cpus = 0",
        "container.environment = { A = true }",
        'packages.system = ["Git"]',
    ],
)
def test_what_the_parser_refuses_the_schema_refuses(text: str) -> None:
    assert not is_valid(text)
    with pytest.raises(UsageError):
        read(text)


def test_the_page_in_docs_shows_every_key_and_is_right() -> None:
    page = (ROOT / "docs" / "definition.md").read_text(encoding="utf-8")
    text = page.partition("```toml\n")[2].partition("```")[0]
    document = tomllib.loads(text)

    assert is_valid(text)
    assert read(text).sources == ("labbox.toml",)
    for section in LABBOX_FILE.keys:
        assert isinstance(section.kind, Table)
        assert {key.name for key in section.kind.keys} <= document[section.name].keys()
    assert document["services"]["demo"].keys() == {key.name for key in CUSTOM_SERVICE.keys}


def test_the_page_in_docs_lists_every_file_in_the_order_of_precedence() -> None:
    page = (ROOT / "docs" / "definition.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    known = [source.file_name for source in PRECEDENCE if source.file_name != "environment.yaml"]
    known = [name for name in known if name != "pyproject.toml"]  # it has two rows
    places = [next(place for place, row in enumerate(rows) if f"`{name}`" in row.split("|")[1]) for name in known]

    assert places == sorted(places)
