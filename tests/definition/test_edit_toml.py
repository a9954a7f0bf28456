import pytest

from labbox.definition.edit_toml import add_to_list, remove_from_list
from labbox.errors import UsageError

_PATH = ("packages", "python")
_TEXT = """\
# our lab
[lab]
name = "x"      # its name

[packages]
python = [
    "numpy<2",  # until scipy is ready
    "torch",
]

[services]
ssh = true
"""


def _name(text: str) -> str:
    return text.partition("<")[0].partition(">")[0]


def test_an_entry_is_added_and_all_else_stays() -> None:
    assert add_to_list(_TEXT, _PATH, "einops", _name) == _TEXT.replace(
        '    "torch",\n', '    "torch",\n    "einops",\n'
    )


def test_an_entry_of_the_same_name_is_replaced() -> None:
    assert add_to_list(_TEXT, _PATH, "numpy>=2", _name) == _TEXT.replace("numpy<2", "numpy>=2")


def test_an_entry_is_removed_and_all_else_stays() -> None:
    assert remove_from_list(_TEXT, _PATH, "torch", _name) == _TEXT.replace('    "torch",\n', "")
    assert remove_from_list(_TEXT, _PATH, "nosuch", _name) is None
    assert remove_from_list(_TEXT, ("packages", "system"), "git", _name) is None


def test_a_missing_table_and_list_are_made() -> None:
    assert add_to_list("", _PATH, "numpy", _name) == '[packages]\npython = ["numpy"]\n'
    assert add_to_list('[lab]\nname = "x"\n', _PATH, "numpy", _name).endswith('[packages]\npython = ["numpy"]\n')
    added = add_to_list(_TEXT, ("packages", "system"), "git", str)
    assert 'system = ["git"]\n' in added
    nested = add_to_list('[project]\nname = "x"\n[tool.labbox.lab]\nname = "y"\n', ("tool", "labbox", *_PATH), "a", str)
    assert '[tool.labbox.packages]\npython = ["a"]\n' in nested


def test_a_list_that_grows_long_is_written_one_package_a_line() -> None:
    text = "packages = {}\n[packages]\n"
    text = ""
    for number in range(20):
        text = add_to_list(text, _PATH, f"package-{number}", str)
    assert max(map(len, text.splitlines())) < 100


def test_what_is_no_list_is_refused() -> None:
    with pytest.raises(UsageError, match=r"`packages\.python` is not a list"):
        add_to_list('[packages]\npython = "numpy"\n', _PATH, "a", str)
