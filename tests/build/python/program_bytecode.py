"""Makes a small layer with sources and its compiled layer; prints what became of it. Argument: the image."""

import json
import os
import sys

from labbox.build.interpreter import probe_system
from labbox.build.python.bytecode import make_bytecode_layers
from labbox.build.workshop import Workshop
from labbox.engine.embedded.engine import EmbeddedEngine
from labbox.oci.digest import Digest
from labbox.settings import load_settings
from labbox.store.images import ImageStore
from labbox.store.layers import LayerStore
from labbox.store.ownership import OWNER_XATTR, ownership_of
from labbox.store.pack import pack_tree
from labbox.store.tar_writer import PackedTree

TIME = 315532800
SITE = "opt/env/lib/python3.13/site-packages"
FILES = {
    f"{SITE}/pkg/__init__.py": b"from pkg.words import has\n",
    f"{SITE}/pkg/words.py": b"def has(word):\n    return word in {'one', 'two', 'three', 'four', 'five'}\n",
    f"{SITE}/pkg/latin.py": b"# -*- coding: latin-1 -*-\nletter = '\xe9'\n",
    f"{SITE}/pkg/template.py": b"def {{ name }}(:\n",
    f"{SITE}/pkg/null.py": b"a = 1\0\n",
    f"{SITE}/single.py": b"value = 1\n",
    "opt/env/share/example.py": b"value = 1\n",
}


def write_tree(tree: str, files: dict[str, bytes], mode: str) -> None:
    for path, content in files.items():
        os.makedirs(os.path.dirname(f"{tree}/{path}"), exist_ok=True)
        with open(f"{tree}/{path}", "wb") as file:
            file.write(content)
    for folder, _, names in os.walk(tree, topdown=False):
        for path in (*(f"{folder}/{name}" for name in names), folder):
            if f"{path}/".startswith(f"{tree}/opt/env/"):
                if mode == "single":
                    os.setxattr(path, OWNER_XATTR, b"1000:1000")
                else:
                    os.chown(path, 1000, 1000)
            os.chmod(path, 0o755 if path == folder else 0o644)
            os.utime(path, (TIME, TIME))


def make_layer(layers: LayerStore, files: dict[str, bytes]) -> Digest:
    with layers.staging() as tree:

        def work() -> PackedTree:
            write_tree(tree, files, layers.mode)
            return pack_tree(tree, mode=ownership_of(layers.mode), newest=TIME)

        packed: PackedTree = layers.run_mapped(work)
        layers.adopt(tree, packed)
    return packed.diff_id


def list_entries(layers: LayerStore, diff_id: Digest) -> list[str]:
    """The paths of a layer with the owners and modes that its archive states, its times all being the fixed one."""
    lines = []
    directory = layers.directory(diff_id)

    def read() -> list[str]:
        for folder, _, names in os.walk(directory):
            for path in (folder, *(f"{folder}/{name}" for name in names)):
                status = os.stat(path)
                owner = f"{status.st_uid}:{status.st_gid}"
                if layers.mode == "single":
                    owner = os.getxattr(path, OWNER_XATTR).decode() if OWNER_XATTR in os.listxattr(path) else "0:0"
                assert status.st_mtime == TIME
                lines.append(f"{path.removeprefix(directory)} {owner} {status.st_mode & 0o777:o}")
        return sorted(lines)

    return layers.run_mapped(read)


def main() -> None:
    settings = load_settings(os.environ)
    engine = EmbeddedEngine(settings, os.environ)
    image = ImageStore(settings.store_dir).find(sys.argv[1])
    assert image is not None
    layers = LayerStore(settings.store_dir, engine.identity)
    interpreter = probe_system(Workshop(engine=engine, system=image.diff_ids, environment=os.environ)).interpreter
    targets = [
        make_layer(layers, FILES),
        make_layer(layers, {"opt/env/share/no-python.txt": b""}),
        make_layer(layers, {"opt/labbox/lib/python3.13/site-packages/tool.py": b"value = 2\n"}),
    ]
    stages = []

    def make() -> list[Digest]:
        return make_bytecode_layers(
            targets, image.diff_ids, interpreter, layers, settings.cache_dir, engine.identity,
            lambda *stage: stages.append(stage),
        )  # fmt: skip

    made = make()
    first_stages = list(stages)
    known = make()
    for diff_id in made:
        layers.remove(diff_id)
    again = make()
    entries = [list_entries(layers, diff_id) for diff_id in made]
    workshop = Workshop(engine=engine, system=(*image.diff_ids, *targets, *made), environment=os.environ)
    with workshop.bench() as bench:
        program = f"import sys; sys.path.insert(0, '/{SITE}'); import pkg.latin, single; print(pkg.has('two'))"
        used = workshop.run(bench, ["python3", "-v", "-B", "-c", program])
    for diff_id in (*targets, *made):
        layers.remove(diff_id)
    json.dump({
        "made": list(map(str, made)), "known": list(map(str, known)), "again": list(map(str, again)),
        "stage": first_stages[-1], "entries": entries, "output": used.tail(4), "code": used.code,
        "matches": used.output.count(f".cpython-313.pyc matches /{SITE}"),
    }, sys.stdout)  # fmt: skip


main()
