"""The order of the parts: imports point down the list, without cycles, and the hot path stays light."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator

import labbox

SOURCE = os.path.dirname(labbox.__file__)

# Lowest first. Parts on one line do not import each other.
LAYERS = (
    # may use each other
    ("certificates", "errors", "files", "lightweight_modules", "lightweight_typing", "processes", "settings"),
    ("linux", "oci"),
    ("store",),
    ("registry", "packages", "definition"),
    ("lock", "engine"),
    ("build",),
    ("services", "runs", "jobs", "hub"),
    ("actions",),
    ("cli", "testing"),
)
# What costs more time than a container's start may take (decision 0002).
HEAVY = {
    "argparse", "asyncio", "concurrent", "concurrent.futures", "dataclasses", "email", "http", "http.client", "inspect",
    "logging", "multiprocessing", "pathlib", "shutil", "subprocess", "tarfile", "tempfile", "urllib.request",
    "collections", "contextlib", "enum", "functools", "json", "re", "selectors", "signal", "socket", "typing",
}  # fmt: skip
HOT = (
    "labbox.cli.commands.run", "labbox.cli.running", "labbox.cli.commands.exec", "labbox.cli.executing",
    "labbox.cli.commands.ps", "labbox.engine.embedded.engine",
    "labbox.engine.embedded.stage", "labbox.engine.embedded.exec_stage",
)  # fmt: skip
EXAMPLES = "examples"  # an installed labbox carries them as data; some are programs of Python 2
HEIGHTS = {part: height for height, parts in enumerate(LAYERS) for part in parts}


def test_every_part_stands_in_the_list() -> None:
    names = {name.removesuffix(".py") for name in os.listdir(SOURCE) if not name.startswith((".", "_"))}
    parts = names - {"py.typed", EXAMPLES}

    assert parts <= HEIGHTS.keys()


def test_imports_point_down() -> None:
    faults = []
    for path, module in modules():
        part = module.split(".")[1] if "." in module else ""
        if part not in HEIGHTS:
            continue
        for imported in imports_of(path, module):
            other = imported.split(".")[1] if imported.startswith("labbox.") else part
            if other == part or other not in HEIGHTS:
                continue
            if HEIGHTS[other] >= HEIGHTS[part] > 0 or HEIGHTS[other] > HEIGHTS[part]:
                faults.append(f"{module} imports {imported}")
    assert not faults, "\n".join(faults)


def test_there_is_no_cycle_of_modules() -> None:
    known = {module for _, module in modules()}
    graph = {
        module: {imported for imported in imports_of(path, module, top_level=True) if imported in known}
        for path, module in modules()
    }
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " → ".join((*trail[trail.index(module) :], module))
        if module not in done:
            for imported in sorted(graph[module]):
                visit(imported, (*trail, module))
            done.add(module)

    for module in sorted(graph):
        visit(module, ())


def test_a_packages_init_holds_a_sentence_only() -> None:
    faults = []
    for path, module in modules():
        if os.path.basename(path) == "__init__.py" and module != "labbox":
            with open(path, encoding="utf-8") as file:
                tree = ast.parse(file.read())
            if ast.get_docstring(tree) is None or len(tree.body) != 1:
                faults.append(module)
    assert not faults


def test_the_hot_path_imports_nothing_heavy() -> None:
    program = f"import sys; before = set(sys.modules); import {', '.join(HOT)}; print(*set(sys.modules) - before)"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {os.path.dirname(SOURCE)!r}); {program}"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip

    assert HEAVY & set(done.stdout.split()) == set()


def test_ctypes_stays_in_linux() -> None:
    users = {
        module for path, module in modules() if any(name.startswith("ctypes") for name in imports_of(path, module))
    }

    assert {module for module in users if not module.startswith("labbox.linux.")} == set()


def test_only_the_command_line_prints_and_exits() -> None:
    faults = []
    for path, module in modules():
        if module.startswith("labbox.cli") or module == "labbox.__main__":
            continue
        with open(path, encoding="utf-8") as file:
            tree = ast.parse(file.read())
        faults += [f"{module}: {ast.unparse(node)}" for node in ast.walk(tree) if _prints_or_exits(node)]
    assert not faults


def modules() -> Iterator[tuple[str, str]]:
    """Every source file with the name of its module."""
    for folder, subfolders, names in os.walk(SOURCE):
        subfolders[:] = [name for name in subfolders if name != EXAMPLES and not name.startswith((".", "__"))]
        for name in sorted(names):
            if name.endswith(".py"):
                path = os.path.join(folder, name)
                relative = os.path.relpath(path, os.path.dirname(SOURCE)).removesuffix(".py")
                yield path, relative.replace(os.sep, ".").removesuffix(".__init__")


def imports_of(path: str, module: str, *, top_level: bool = False) -> set[str]:
    """The modules that a file imports; `top_level`: only when it is imported itself."""
    with open(path, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    found: set[str] = set()
    for node in _nodes(tree, top_level=top_level):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import"
            found |= _from_names(node)
    return found - {module}


def _from_names(node: ast.ImportFrom) -> set[str]:
    base = node.module or ""
    names = set()
    for alias in node.names:
        path = os.path.join(os.path.dirname(SOURCE), *base.split("."), alias.name)
        is_module = base.startswith("labbox") and (os.path.isdir(path) or os.path.isfile(f"{path}.py"))
        names.add(f"{base}.{alias.name}" if is_module else base)
    return names


def _nodes(tree: ast.AST, *, top_level: bool) -> Iterator[ast.AST]:
    """All nodes; with `top_level` not those of functions and of `if TYPE_CHECKING`."""
    for node in ast.iter_child_nodes(tree):
        if top_level and (isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or _is_for_types_only(node)):
            continue
        yield node
        yield from _nodes(node, top_level=top_level)


def _is_for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _prints_or_exits(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    if isinstance(called, ast.Name):
        return called.id in {"print", "exit", "input"}
    return isinstance(called, ast.Attribute) and called.attr == "exit" and getattr(called.value, "id", "") == "sys"
