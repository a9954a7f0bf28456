"""What a container changed, told from a real overlay mount where root can make one, and from folders elsewhere."""

import io
import os
import shutil
import stat
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from harness.people import current_person
from labbox.linux.idmap import root_identity
from labbox.store.commit import commit_changes, import_tree
from labbox.store.diff import compare_layers, pack_changes
from labbox.store.extract import extract_layer
from labbox.store.images import ImageStore
from labbox.store.layers import LayerStore
from labbox.store.pack import pack_tree
from labbox.store.stack import StackedLayer, export_stack
from labbox.store.verify import verify_store
from store.archives import file, folder, hardlink, symlink, tar
from store.people import Keeper, run_as

BASE = tar(
    folder("bin", mtime=1), file("bin/sh", b"shell", 0o755, mtime=1), file("bin/true", b"true", 0o755, mtime=1),
    folder("etc", mtime=1), file("etc/hosts", b"localhost", mtime=1), file("etc/passwd", b"root", mtime=1),
    folder("home", mtime=1), folder("home/me", 0o700, uid=1000, gid=1000, mtime=1),
    file("home/me/f", b"mine", uid=1000, gid=1000, mtime=1),
    folder("old", mtime=1), folder("old/deep", mtime=1), file("old/deep/f", b"x", mtime=1),
    symlink("link", "bin", mtime=1),
)  # fmt: skip
SECOND = tar(folder("etc", mtime=2), file("etc/extra", b"extra", mtime=2), file("etc/.wh.hosts", mode=0))

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting an overlay here needs root")


@pytest.fixture
def lowers(tmp_path: Path) -> Any:
    """Two layers, topmost first."""
    made = []
    for name, data in (("second", SECOND), ("base", BASE)):
        (tmp_path / name).mkdir()
        extract_layer(io.BytesIO(data), str(tmp_path / name), mode="kept")
        made.append(StackedLayer(str(tmp_path / name)))
    return made


@pytest.fixture
def change(tmp_path: Path, lowers: list[StackedLayer]) -> Any:
    """Runs a shell script in an overlay of the layers; the upper folder afterwards."""

    def run(script: str) -> Any:
        for name in ("upper", "work", "merged"):
            (tmp_path / name).mkdir(exist_ok=True)
        options = f"lowerdir={':'.join(layer.root for layer in lowers)},upperdir=upper,workdir=work,userxattr"
        mount = f"mount -t overlay overlay -o {options} merged && cd merged && set -e\n{script}"
        subprocess.run(["unshare", "-m", "sh", "-c", mount], check=True, cwd=tmp_path)
        return StackedLayer(str(tmp_path / "upper"))

    return run


def changes(upper: StackedLayer, lowers: list[StackedLayer], **options: Any) -> Any:
    found = compare_layers(upper, lowers, mode="kept", **options).changes
    return [f"{change.kind} {change.path}" for change in found]


def names(upper: StackedLayer, lowers: list[StackedLayer], **options: Any) -> Any:
    buffer = io.BytesIO()
    pack_changes(upper, lowers, mode="kept", write=buffer.write, **options)
    with tarfile.open(fileobj=io.BytesIO(buffer.getvalue())) as archive:
        return archive.getnames()


def test_nothing_done_is_nothing_changed(change: Any, lowers: list[StackedLayer]) -> None:
    upper = change("true")
    assert changes(upper, lowers) == []
    assert names(upper, lowers) == []


def test_additions_changes_and_deletions_are_told_with_their_folders(change: Any, lowers: list[StackedLayer]) -> None:
    upper = change("echo new > etc/new; echo more >> etc/passwd; rm bin/true; mkdir -p a/b; ln -s x a/b/l")
    assert changes(upper, lowers) == [
        "A /a", "A /a/b", "A /a/b/l", "C /bin", "D /bin/true", "C /etc", "A /etc/new", "C /etc/passwd",
    ]  # fmt: skip
    assert names(upper, lowers) == ["a", "a/b", "a/b/l", "bin", "bin/.wh.true", "etc", "etc/new", "etc/passwd"]


def test_a_copy_up_that_changed_nothing_is_no_change(change: Any, lowers: list[StackedLayer]) -> None:
    upper = change(": >> etc/passwd; exec 3<> bin/sh; touch -d @1 etc/passwd bin/sh; chmod 755 bin/sh; chown 0 link")
    assert os.path.exists(os.path.join(upper.root, "etc/passwd"))
    assert os.path.exists(os.path.join(upper.root, "bin/sh"))
    assert changes(upper, lowers) == []


def test_equal_length_and_time_do_not_hide_a_change(change: Any, lowers: list[StackedLayer]) -> None:
    upper = change("printf ROOT > etc/passwd; touch -d @1 etc/passwd")
    assert changes(upper, lowers) == ["C /etc", "C /etc/passwd"]


@pytest.mark.parametrize("command", ["chmod 600 etc/passwd", "chown 7 etc/passwd", "touch -d @9 etc/passwd"])
def test_mode_owner_and_time_are_changes(change: Any, lowers: list[StackedLayer], command: str) -> None:
    assert changes(change(command), lowers) == ["C /etc", "C /etc/passwd"]


def test_clamped_times_are_compared_as_they_will_be_stored(change: Any, lowers: list[StackedLayer]) -> None:
    upper = change("printf root > etc/passwd; printf ROOT > bin/sh")
    assert changes(upper, lowers, newest=1) == ["C /bin", "C /bin/sh"]
    assert names(upper, lowers, newest=1) == ["bin", "bin/sh"]


def test_what_a_lower_layer_removed_is_new_when_it_comes_back(change: Any, lowers: list[StackedLayer]) -> None:
    assert changes(change("echo again > etc/hosts"), lowers) == ["C /etc", "A /etc/hosts"]


def test_a_folder_made_anew_hides_the_old_one(change: Any, lowers: list[StackedLayer]) -> None:
    upper = change("rm -r old; mkdir old; echo new > old/new; touch -d @1 old")
    assert changes(upper, lowers) == ["C /old", "D /old/deep", "A /old/new"]
    assert names(upper, lowers) == ["old", "old/.wh..wh..opq", "old/new"]


def test_what_is_the_same_in_a_folder_made_anew_is_stored_again(change: Any, lowers: list[StackedLayer]) -> None:
    upper = change("cp -a old keep; rm -r old; mkdir old; cp -a keep/deep old/; rm -r keep; touch -d @1 old")
    assert changes(upper, lowers) == ["C /old"]
    assert names(upper, lowers) == ["old", "old/.wh..wh..opq", "old/deep", "old/deep/f"]


def test_a_folder_that_became_a_file_is_a_change(change: Any, lowers: list[StackedLayer]) -> None:
    upper = change("rm -r old; echo x > old")
    assert changes(upper, lowers) == ["C /old"]
    assert names(upper, lowers) == ["old"]


def test_folders_on_the_way_keep_their_owners(change: Any, lowers: list[StackedLayer]) -> None:
    upper = change("echo x > home/me/g")
    assert names(upper, lowers) == ["home", "home/me", "home/me/g"]
    buffer = io.BytesIO()
    pack_changes(upper, lowers, mode="kept", write=buffer.write)
    with tarfile.open(fileobj=io.BytesIO(buffer.getvalue())) as archive:
        member = archive.getmember("home/me")
    assert (member.uid, member.mode) == (1000, 0o700)


def merged_tree(root: Any) -> Any:
    """Every name with kind, mode, owner, content and link."""
    found = {}
    for parent, folders, files in os.walk(root):
        for name in folders + files:
            path = os.path.join(parent, name)
            status = os.lstat(path)
            content = os.readlink(path) if stat.S_ISLNK(status.st_mode) else ""
            if stat.S_ISREG(status.st_mode):
                with open(path, encoding="latin-1") as opened:
                    content = opened.read()
            key = os.path.relpath(path, root)
            found[key] = (status.st_mode, status.st_uid, status.st_gid, status.st_size if content else 0, content)
    return found


SCRIPT = """
echo new > etc/new; rm bin/true; rm -r old; mkdir old; ln bin/sh bin/bash; ln -s /etc link2; mkfifo pipe
chmod 4711 bin/sh
echo changed > home/me/f; mv etc/extra etc/moved; mkdir -p x/y/z; rmdir x/y/z; chown -h 5:6 link
cp -a . {merged}
"""


def test_an_exported_tree_is_what_the_container_saw(change: Any, lowers: list[StackedLayer], tmp_path: Path) -> None:
    upper = change(SCRIPT.format(merged=tmp_path / "seen"))
    buffer = io.BytesIO()
    export_stack([upper, *lowers], mode="kept", write=buffer.write)
    (tmp_path / "exported").mkdir()
    extract_layer(io.BytesIO(buffer.getvalue()), str(tmp_path / "exported"), mode="kept")
    assert merged_tree(tmp_path / "exported") == merged_tree(tmp_path / "seen")


def test_a_committed_layer_gives_the_same_tree_again(change: Any, lowers: list[StackedLayer], tmp_path: Path) -> None:
    upper = change(SCRIPT.format(merged=tmp_path / "seen"))
    layers = LayerStore(str(tmp_path / "store"), root_identity())
    before = pack_tree(upper.root)
    packed, record = commit_changes(layers, upper, lowers)
    assert record.is_canonical
    assert pack_tree(upper.root) == before
    committed = StackedLayer(layers.directory(packed.diff_id))
    assert pack_tree(committed.root).diff_id == packed.diff_id
    buffer = io.BytesIO()
    export_stack([committed, *lowers], mode="kept", write=buffer.write)
    (tmp_path / "exported").mkdir()
    extract_layer(io.BytesIO(buffer.getvalue()), str(tmp_path / "exported"), mode="kept")
    assert merged_tree(tmp_path / "exported") == merged_tree(tmp_path / "seen")
    assert verify_store(ImageStore(str(tmp_path / "store")), [layers]) == []


def test_commit_and_import_give_one_digest_in_every_mode(keeper: Keeper) -> None:
    data = tar(file("a", b"x", uid=3), hardlink("b", "a"), folder("d", uid=1000), symlink("d/l", "x", uid=5))
    upper_data = tar(file(".wh.a", mode=0), folder("d", 0o700, uid=1000), file("d/new", b"new", 0o600, uid=1000))

    def work(layers: LayerStore, images: ImageStore) -> Any:
        with images.creating():
            packed, _ = import_tree(layers, io.BytesIO(data))
            upper = layers.unpack(io.BytesIO(upper_data))
            lower = StackedLayer(layers.directory(packed.diff_id), layers.side_table(packed.diff_id))
            top = StackedLayer(layers.directory(upper.diff_id), layers.side_table(upper.diff_id))
            committed, _ = commit_changes(layers, top, [lower])
        assert verify_store(images, [layers]) == []
        return str(packed.diff_id), str(committed.diff_id)

    expected = run_as(current_person(), lambda: _digests(data, upper_data, os.path.join(keeper.folder, "expected")))
    assert keeper.run(work) == expected


def _digests(data: bytes, upper_data: bytes, base: Any) -> Any:
    """The digests that the mode root gives, computed without a store."""
    folders = [os.path.join(base, name) for name in ("lower", "upper")]
    for path, content in zip(folders, (data, upper_data), strict=True):
        os.makedirs(path)
        extract_layer(io.BytesIO(content), path, mode="kept")
    packed = pack_tree(folders[0])
    committed = pack_changes(StackedLayer(folders[1]), [StackedLayer(folders[0])], mode="kept")
    shutil.rmtree(base)
    return str(packed.diff_id), str(committed.diff_id)
