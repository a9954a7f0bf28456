"""The layers of a lab that labbox writes itself: its base (user, folders, interpreters) and its settings.

Both depend on nothing but what is below them and what they are given: no clock, no host, no identity mode.
"""

import posixpath
from collections.abc import Iterable, Mapping, Sequence

from labbox.build.accounts import ACCOUNT_FILES, DEVELOPER, DEVELOPER_ID, HOME, with_developer
from labbox.build.canonical_layer import (
    FIXED_TIME,
    Piece,
    adopt_archive,
    encode_layer,
    file_piece,
    folder_piece,
    link_piece,
)
from labbox.build.system_files import SystemFiles
from labbox.lock.lab import LockedInterpreter
from labbox.oci.canonical_tar import OPAQUE_MARKER, TarEntry, opaque_marker
from labbox.oci.digest import Digest
from labbox.store.layers import LayerStore
from labbox.store.tar_writer import PackedTree

ENVIRONMENT_PREFIX = "/opt/env"
SERVICES_PREFIX = "/opt/labbox"
WORKSPACE = "/workspace"
STATE_FOLDER = "/var/lib/labbox"

_SUDOERS = f"""\
# The researcher is at home here. What the network needs (proxies, certificates) is kept.
{DEVELOPER} ALL=(ALL:ALL) NOPASSWD: ALL
Defaults:{DEVELOPER} env_keep += "http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY"
Defaults:{DEVELOPER} env_keep += "SSL_CERT_FILE REQUESTS_CA_BUNDLE CURL_CA_BUNDLE PIP_CERT GIT_SSL_CAINFO"
Defaults:{DEVELOPER} env_keep += "NODE_EXTRA_CA_CERTS"
"""
_PROFILE_D = f"""\
# A login shell sets PATH anew: the lab's environment comes first there too.
case ":$PATH:" in
  *:{ENVIRONMENT_PREFIX}/bin:*) ;;
  *) PATH={ENVIRONMENT_PREFIX}/bin:$PATH ;;
esac
export PATH
"""
_BASHRC = r"""# Interactive shells of the lab.
case $- in *i*) ;; *) return ;; esac
HISTCONTROL=ignoreboth
shopt -s histappend checkwinsize
PS1='\[\e[32m\]\h\[\e[0m\]:\[\e[34m\]\w\[\e[0m\]\$ '
alias ls='ls --color=auto' ll='ls -l' grep='grep --color=auto'
[ -r /usr/share/bash-completion/bash_completion ] && . /usr/share/bash-completion/bash_completion
"""
_PROFILE = '[ -n "$BASH_VERSION" ] && [ -r ~/.bashrc ] && . ~/.bashrc\n'


def make_base_layer(
    below: Sequence[Digest], interpreter: LockedInterpreter, services_interpreter: LockedInterpreter, layers: LayerStore
) -> PackedTree:
    """The layer with the user `developer`, /workspace and the skeletons of /opt/env and /opt/labbox.

    `below` are the system's layers, lowest first. Hold `layers.creating()` until an image names the layer.
    """
    archive = layers.run_mapped(lambda: _encode_base(SystemFiles(below, layers), interpreter, services_interpreter))
    return adopt_archive(archive, layers)


def make_settings_layer(files: Mapping[str, bytes], layers: LayerStore) -> PackedTree:
    """A layer of small files of root's by absolute path, executable where they start with `#!`.

    A name `.wh..wh..opq` hides what its folder has in the layers below. Hold `layers.creating()` until an image names
    the layer.
    """
    pieces = [_settings_piece(path, content) for path, content in files.items()]
    return adopt_archive(encode_layer(_with_parents(pieces, None)), layers)


def _settings_piece(path: str, content: bytes) -> Piece:
    folder, name = posixpath.split(path)
    if name == OPAQUE_MARKER.decode():
        return opaque_marker(folder.lstrip("/").encode()), b""
    return file_piece(path, content, mode=0o755 if content.startswith(b"#!") else 0o644)


def _encode_base(system: SystemFiles, interpreter: LockedInterpreter, services_interpreter: LockedInterpreter) -> bytes:
    shell = "/bin/bash" if system.find("/bin/bash") else "/bin/sh"
    pieces = [
        *_account_pieces(system, shell),
        *_home_pieces(),
        *_interpreter_pieces(ENVIRONMENT_PREFIX, interpreter, owner=DEVELOPER_ID),
        *_interpreter_pieces(SERVICES_PREFIX, services_interpreter, owner=0),
    ]
    return encode_layer(_with_parents([_moved(piece, system) for piece in pieces], system))


def _account_pieces(system: SystemFiles, shell: str) -> list[Piece]:
    """The account files with developer, with the owner and mode that they have below."""
    found = {path: content for path in ACCOUNT_FILES if (content := system.read(path)) is not None}
    texts = {path: content.decode("utf-8", "surrogateescape") for path, content in found.items()}
    pieces = []
    for path, text in with_developer(texts, shell).items():
        content = text.encode("utf-8", "surrogateescape")
        former = system.find(path)
        piece = file_piece(path, content)
        if former is not None:
            piece = former._replace(path=piece[0].path, mtime=FIXED_TIME, size_bytes=len(content)), content
        pieces.append(piece)
    return pieces


def _home_pieces() -> list[Piece]:
    yours = DEVELOPER_ID
    return [
        file_piece("/etc/sudoers.d/labbox", _SUDOERS.encode(), mode=0o440),
        file_piece("/etc/profile.d/labbox.sh", _PROFILE_D.encode()),
        folder_piece(HOME, owner=yours),
        file_piece(f"{HOME}/.bashrc", _BASHRC.encode(), owner=yours),
        file_piece(f"{HOME}/.profile", _PROFILE.encode(), owner=yours),
        link_piece(f"{HOME}/work", WORKSPACE, owner=yours),
        folder_piece(WORKSPACE, owner=yours),
        folder_piece(STATE_FOLDER, owner=yours),
    ]


def _interpreter_pieces(prefix: str, interpreter: LockedInterpreter, *, owner: int) -> list[Piece]:
    """A tree like a virtual environment's (PEP 405), whose interpreter is the system's.

    Python 2 knows no pyvenv.cfg: there a .pth file of the system's adds the environment's packages.
    """
    language = interpreter.language
    major = language.split(".", maxsplit=1)[0]
    site = f"{prefix}/lib/python{language}/site-packages"
    pieces = [
        folder_piece(prefix, owner=owner),
        folder_piece(f"{prefix}/bin", owner=owner),
        folder_piece(f"{prefix}/lib", owner=owner),
        folder_piece(f"{prefix}/lib/python{language}", owner=owner),
        folder_piece(site, owner=owner),
        link_piece(f"{prefix}/bin/python", interpreter.path, owner=owner),
        link_piece(f"{prefix}/bin/python{major}", "python", owner=owner),
        link_piece(f"{prefix}/bin/python{language}", "python", owner=owner),
    ]
    if major == "2":
        line = f"import site; site.addsitedir('{site}')\n"
        pieces.append(file_piece(f"/usr/local/lib/python{language}/dist-packages/labbox.pth", line.encode()))
    else:
        settings = (
            f"home = {posixpath.dirname(interpreter.path)}\n"
            "include-system-site-packages = false\n"
            f"version = {interpreter.version}\n"
            f"executable = {interpreter.path}\n"
        )
        pieces.append(file_piece(f"{prefix}/pyvenv.cfg", settings.encode(), owner=owner))
    return pieces


def _moved(piece: Piece, system: SystemFiles) -> Piece:
    """The piece below the real folder where the system has a link on its path (`/home` → `/var/home`)."""
    entry, content = piece
    parent, name = posixpath.split("/" + entry.path.decode())
    real = posixpath.join(system.resolve(parent), name)
    return entry._replace(path=real.lstrip("/").encode()), content


def _with_parents(pieces: Iterable[Piece], system: SystemFiles | None) -> list[Piece]:
    """The pieces with every folder above them, as the system has it, else as usual."""
    known: dict[bytes, Piece] = {piece[0].path: piece for piece in pieces}
    for path in list(known):
        parent = path.rpartition(b"/")[0]
        while parent and parent not in known:
            known[parent] = _folder("/" + parent.decode(), system), b""
            parent = parent.rpartition(b"/")[0]
    return list(known.values())


def _folder(path: str, system: SystemFiles | None) -> TarEntry:
    found = system.find(path) if system else None
    usual = folder_piece(path)[0]
    return found._replace(path=usual.path, mtime=FIXED_TIME) if found and found.kind == "directory" else usual
