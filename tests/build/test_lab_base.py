import io
import os
from typing import Any

import pytest

from labbox.build.lab_base import make_base_layer, make_settings_layer
from labbox.lock.lab import LockedInterpreter
from labbox.oci.digest import Digest
from labbox.oci.tar_reader import TarReader
from labbox.store.layers import LayerStore
from labbox.store.ownership import ownership_of
from labbox.store.pack import pack_tree
from labbox.store.verify import verify_store
from store.archives import Piece, file, folder, symlink, tar
from store.conftest import keeper  # noqa: F401  (the fixture)
from store.people import Keeper

PYTHON_3 = LockedInterpreter(version="3.13.5", path="/usr/bin/python3.13", abi="cp313")
PYTHON_2 = LockedInterpreter(version="2.7.18", path="/usr/bin/python2.7", abi="cp27mu")
DEBIAN = (
    folder("etc"),
    file("etc/group", b"root:x:0:\nsudo:x:27:\n"),
    file("etc/gshadow", b"root:*::\nsudo:*::\n", 0o640, gid=42),
    file("etc/passwd", b"root:x:0:0:root:/root:/bin/bash\n"),
    file("etc/shadow", b"root:*:19000:0:99999:7:::\n", 0o640, gid=42),
    folder("usr/bin"),
    file("usr/bin/bash", b"#!", 0o755),
    folder("usr/local/lib", 0o2775, gid=50),
    symlink("bin", "usr/bin"),
)


def below(layers: LayerStore, *pieces: Piece) -> Digest:
    return layers.unpack(io.BytesIO(tar(*pieces))).diff_id


def unpacked(layers: LayerStore, diff_id: Digest) -> Any:
    """What the layer's canonical archive says, by path."""

    def pack() -> bytes:
        archive = io.BytesIO()
        pack_tree(
            layers.directory(diff_id),
            mode=ownership_of(layers.mode),
            side_table=layers.side_table(diff_id),
            write=archive.write,
        )
        return archive.getvalue()

    reader = TarReader(io.BytesIO(layers.run_mapped(pack)))
    return {entry.path.decode(): (entry, reader.read(entry.size_bytes)) for entry in reader}


@pytest.fixture
def base(keeper: Keeper) -> Any:  # noqa: F811
    def make(*pieces: Piece, python: LockedInterpreter = PYTHON_3) -> Any:
        def work(layers: LayerStore, _: Any) -> Any:
            packed = make_base_layer([below(layers, *pieces)], python, PYTHON_3, layers)
            return packed.diff_id, unpacked(layers, packed.diff_id)

        return keeper.run(work)

    return make


def test_the_base_has_the_same_digest_in_every_mode(base: Any) -> None:
    diff_id, _ = base(*DEBIAN)

    assert str(diff_id) == "sha256:2fbd7ed8a88c34bb2d3e5adcd725099dfe2be81f906844bd7163d44968961d68"


def test_the_base_has_a_user_with_a_home_and_no_password(base: Any) -> None:
    _, found = base(*DEBIAN)

    assert found["etc/passwd"][1].endswith(b"\ndeveloper:x:1000:1000::/home/developer:/bin/bash\n")
    assert found["etc/group"][1] == b"root:x:0:\nsudo:x:27:developer\ndeveloper:x:1000:\n"
    assert found["etc/gshadow"][1] == b"root:*::\nsudo:*::developer\ndeveloper:!::\n"
    assert found["etc/shadow"][1].endswith(b"\ndeveloper:*:3652:0:99999:7:::\n")
    assert (found["etc/shadow"][0].mode, found["etc/shadow"][0].gid) == (0o640, 42)
    assert found["etc/sudoers.d/labbox"][0].mode == 0o440
    assert found["home/developer/work"][0].target == b"/workspace"
    owned = ("home/developer", "home/developer/.bashrc", "home/developer/work", "workspace", "opt/env", "opt/env/bin")
    assert {(found[path][0].uid, found[path][0].gid) for path in owned} == {(1000, 1000)}
    assert (found["opt/labbox/bin"][0].uid, found["home"][0].uid) == (0, 0)


def test_the_environment_is_a_virtual_environment_of_the_systems_python(base: Any) -> None:
    _, found = base(*DEBIAN)

    assert found["opt/env/bin/python"][0].target == b"/usr/bin/python3.13"
    assert found["opt/env/bin/python3.13"][0].target == b"python"
    assert b"home = /usr/bin\ninclude-system-site-packages = false\n" in found["opt/env/pyvenv.cfg"][1]
    assert "opt/labbox/lib/python3.13/site-packages" in found
    assert {entry.mtime for entry, _ in found.values()} == {315532800}


def test_python_2_finds_the_environments_packages_by_a_path_file(base: Any) -> None:
    _, found = base(*DEBIAN, python=PYTHON_2)

    entry, content = found["usr/local/lib/python2.7/dist-packages/labbox.pth"]
    assert content == b"import site; site.addsitedir('/opt/env/lib/python2.7/site-packages')\n"
    assert entry.uid == 0
    assert (found["usr/local/lib"][0].mode, found["usr/local/lib"][0].gid) == (0o2775, 50)
    assert "opt/env/pyvenv.cfg" not in found
    assert found["opt/labbox/bin/python"][0].target == b"/usr/bin/python3.13"


def test_who_has_the_id_already_gets_the_new_name(base: Any) -> None:
    _, found = base(
        folder("etc"),
        file("etc/group", b"adm:x:4:syslog,ubuntu\nsudo:x:27:ubuntu\nubuntu:x:1000:\nlast:x:1001:"),
        file(
            "etc/passwd", b"root:x:0:0::/root:/bin/sh\nubuntu:x:1000:1000:Ubuntu:/home/ubuntu:/bin/bash\nx:x:9:9::/:\n"
        ),
        file("etc/shadow", b"ubuntu:!:1:0:99999:7:::\n"),
        file("etc/subuid", b"ubuntu:100000:65536\n"),
    )

    assert found["etc/passwd"][1] == (
        b"root:x:0:0::/root:/bin/sh\ndeveloper:x:1000:1000::/home/developer:/bin/sh\nx:x:9:9::/:\n"
    )
    assert found["etc/group"][1] == b"adm:x:4:syslog,developer\nsudo:x:27:developer\ndeveloper:x:1000:\nlast:x:1001:\n"
    assert found["etc/shadow"][1] == b"developer:*:3652:0:99999:7:::\n"
    assert found["etc/subuid"][1] == b"developer:100000:65536\n"
    assert "etc/gshadow" not in found


def test_a_user_of_the_name_with_another_id_goes(base: Any) -> None:
    _, found = base(
        folder("etc"), file("etc/passwd", b"developer:x:500:500::/:/bin/sh\nme:x:1000:1000::/home/me:/bin/sh\n")
    )

    assert found["etc/passwd"][1] == b"developer:x:1000:1000::/home/developer:/bin/sh\n"


def test_a_system_without_accounts_gets_them(base: Any) -> None:
    _, found = base(folder("usr"))

    assert found["etc/passwd"][1].splitlines()[0] == b"root:x:0:0:root:/root:/bin/sh"
    assert found["etc/group"][1] == b"root:x:0:\ndeveloper:x:1000:\n"


def test_links_of_the_system_are_followed_not_replaced(base: Any) -> None:
    _, found = base(folder("var/home"), symlink("home", "var/home"), symlink("opt", "/var/opt"), folder("var/opt"))

    assert "home" not in found
    assert found["var/home/developer/work"][0].target == b"/workspace"
    assert "var/opt/env/pyvenv.cfg" in found


def test_settings_are_a_layer_of_roots_files(keeper: Keeper) -> None:  # noqa: F811
    files = {
        "/opt/labbox/etc/services.json": b"{}",
        "/opt/labbox/bin/labbox-services": b"#!/usr/bin/python3\n",
        "/opt/labbox/share/jupyter/kernels/.wh..wh..opq": b"",
    }

    def work(layers: LayerStore, images: Any) -> Any:
        packed = make_settings_layer(files, layers)
        assert make_settings_layer(dict(reversed(files.items())), layers).diff_id == packed.diff_id
        assert layers.record(packed.diff_id).is_canonical
        assert verify_store(images, [layers]) == []
        assert os.listdir(os.path.join(layers._store_dir, "tmp")) == []
        return str(packed.diff_id), unpacked(layers, packed.diff_id)

    diff_id, found = keeper.run(work)
    assert found["opt/labbox/bin/labbox-services"][0].mode == 0o755
    assert found["opt/labbox/etc/services.json"][0].mode == 0o644
    assert "opt/labbox/share/jupyter/kernels/.wh..wh..opq" in found
    assert diff_id == "sha256:743f5a0baeb148f0f4422da9819146054a00d09d1c6b63a60da8aa403d9dddab"
