"""What uv says when it fails, as it was seen (uv 0.13), and what labbox makes of it."""

import pytest

from labbox.errors import DownloadError, ResolutionError
from labbox.packages.python.uv_faults import explain

_CONFLICT = """\
error: No solution found when resolving dependencies
  cause: Because tensorflow-cpu>=2.21.0rc0,<=2.21.0 depends on numpy>=1.26.0 and you require tensorflow-cpu==2.21.*, we can conclude that you require numpy>=1.26.0.
         And because you require numpy<1.20, we can conclude that your requirements are unsatisfiable.
"""  # noqa: E501
_NO_WHEEL = """\
error: No solution found when resolving dependencies
  cause: Because tensorflow==1.15.0 has no wheels with a matching Python ABI tag (e.g., `cp313`) and you require tensorflow==1.15, we can conclude that your requirements are unsatisfiable.

hint: You require CPython 3.13 (`cp313`), but we only found wheels for `tensorflow` (v1.15.0) with the following Python ABI tags: `cp27m`, `cp27mu`
"""  # noqa: E501
_NO_NAME = """\
error: Request failed after 3 retries in 6.7s
  cause: Failed to fetch: http://nonexistent.invalid/simple/six/
  cause: error sending request for url (http://nonexistent.invalid/simple/six/)
  cause: client error (Connect)
  cause: dns error
  cause: failed to lookup address information: Name or service not known
"""
_GIT = """\
error: Git operation failed
  cause: failed to clone into: /cache/git-v2/db/525b
  cause: process didn't exit successfully: `/usr/bin/git fetch` (exit status: 128)
         --- stderr
         fatal: unable to access 'https://github.com/x/y/': Could not resolve host: github.com
"""


@pytest.mark.parametrize(
    ("errors", "kind", "message", "hint"),
    [
        (
            _CONFLICT,
            ResolutionError,
            (
                "the Python packages cannot be had together: tensorflow-cpu>=2.21.0rc0,<=2.21.0 depends on "
                "numpy>=1.26.0 and you require tensorflow-cpu==2.21.*; you require numpy<1.20"
            ),
            "Relax the version of `tensorflow-cpu` or `numpy`.",
        ),
        (
            _NO_WHEEL,
            ResolutionError,
            (
                "there is no wheel for the lab's Python or platform: tensorflow==1.15.0 has no wheels with a matching "
                "Python ABI tag (e.g., `cp313`) and you require tensorflow==1.15. You require CPython 3.13 "
                "(`cp313`), but we only found wheels for `tensorflow` (v1.15.0) with the "
                "following Python ABI tags: `cp27m`, `cp27mu`"
            ),
            "Ask for another version of the package, or for another Python.",
        ),
        (
            _NO_NAME,
            DownloadError,
            (
                "the Python package index cannot be reached: `http://nonexistent.invalid/simple/six/`: failed to "
                "lookup address information: Name or service not known"
            ),
            "Check the network; UV_DEFAULT_INDEX names another index.",
        ),
        ("", ResolutionError, "uv failed with exit code 2: no output", None),
        ("thread 'main' panicked\n", ResolutionError, "uv failed with exit code 2: thread 'main' panicked", None),
    ],
    ids=["conflict", "no wheel", "no such host", "silence", "panic"],
)
def test_the_reason_is_one_sentence_with_what_to_change(
    errors: str, kind: type[Exception], message: str, hint: str | None
) -> None:
    error = explain(errors, returncode=2)
    assert isinstance(error, kind)
    assert error.message == message
    assert error.hint == hint


def test_a_repository_that_cannot_be_reached_is_told_with_git_s_own_words() -> None:
    assert "Could not resolve host: github.com" in explain(_GIT, returncode=2).message
