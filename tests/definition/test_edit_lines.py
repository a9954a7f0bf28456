from packaging.utils import canonicalize_name

from labbox.actions.change_packages import requirement_name
from labbox.definition.edit_lines import add_requirement, add_word, remove_requirement, remove_word
from labbox.errors import UsageError

_REQUIREMENTS = """\
# what we need
--extra-index-url https://example.com/simple
-r base.txt

NumPy<2   # until scipy is ready
pinned==1.0 \\
    --hash=sha256:00 \\
    --hash=sha256:11
https://example.com/a-1.0-py3-none-any.whl
last"""


def _name(text: str) -> str:
    try:
        return requirement_name(text)
    except UsageError:
        return ""


def test_a_new_requirement_comes_last() -> None:
    assert add_requirement(_REQUIREMENTS, "einops", _name) == _REQUIREMENTS + "\neinops\n"
    assert add_requirement("", "einops", _name) == "einops\n"


def test_a_requirement_of_the_same_name_is_replaced_and_its_comment_stays() -> None:
    assert add_requirement(_REQUIREMENTS, "numpy>=2", _name) == _REQUIREMENTS.replace("NumPy<2", "numpy>=2")


def test_a_requirement_goes_with_the_lines_that_continue_it() -> None:
    expected = _REQUIREMENTS.replace("pinned==1.0 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\n", "")
    assert remove_requirement(_REQUIREMENTS, "pinned", _name) == expected
    assert remove_requirement(_REQUIREMENTS, canonicalize_name("NumPy"), _name) == _REQUIREMENTS.replace(
        "NumPy<2   # until scipy is ready\n", ""
    )
    assert remove_requirement(_REQUIREMENTS, "base", _name) is None


def test_words_of_apt_txt_come_and_go_and_comments_stay() -> None:
    text = "git graphviz=2.42 # to draw\nlibgl1\n# git is needed\n"
    assert add_word(text, "jq") == text + "jq\n"
    assert remove_word(text, "graphviz") == "git # to draw\nlibgl1\n# git is needed\n"
    assert remove_word(text, "libgl1") == "git graphviz=2.42 # to draw\n# git is needed\n"
    assert remove_word(text, "gl") is None
    assert add_word("git=1\n", "git=2") == "git=2\n"
