import pytest

from labbox.build.python.pip_tools import explain_failure


@pytest.mark.parametrize(
    "line",
    [
        "error: [Errno 2] No such file or directory: 'x86_64-linux-gnu-gcc'",
        "error: command 'gcc' failed: No such file or directory",
        "unable to execute 'x86_64-linux-gnu-gcc': No such file or directory",
        "../meson.build:1:0: ERROR: Unknown compiler(s): [['cc'], ['gcc']]",
        "  No CMAKE_CXX_COMPILER could be found.",
        "error: linker `cc` not found",
        "fatal error: Python.h: No such file or directory",
    ],
)
def test_a_missing_compiler_is_recognised(line: str) -> None:
    assert "labbox add --system build-essential python3-dev" in (explain_failure(f"building\n{line}\n") or "")


def test_missing_build_modules_are_recognised() -> None:
    assert "python3-distutils" in (explain_failure("ModuleNotFoundError: No module named 'distutils.cmd'") or "")


def test_another_failure_is_not_explained() -> None:
    assert explain_failure("No such file or directory: 'README.md'") is None
