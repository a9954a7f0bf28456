"""ADD of an address: a file over http or https, or a git repository, fetched by this host into a folder."""

import hashlib
import os
import subprocess
import tempfile
import urllib.error
import urllib.request
from email.utils import parsedate_to_datetime
from http.client import HTTPResponse
from urllib.parse import unquote, urlsplit

from labbox.errors import DigestMismatchError, DownloadError, UnsupportedError, UsageError
from labbox.files import remove_tree

_TIMEOUT_SECONDS = 60
_CHUNK = 1 << 20


def is_remote(source: str) -> bool:
    """True when a source of ADD is an address and no path."""
    return source.startswith(("http://", "https://", "git://", "git@", "ssh://"))


def is_git(source: str) -> bool:
    """True when an address means a repository: by its scheme, or a path that ends in `.git`."""
    return source.startswith(("git://", "git@", "ssh://")) or urlsplit(source).path.endswith(".git")


def fetch_remote(address: str, scratch: str, *, checksum: str, keeps_git: bool = False) -> str:
    """A new folder with what the address has: one file, or the tree of a repository; raises DownloadError."""
    folder = tempfile.mkdtemp(prefix="remote-", dir=scratch)
    if is_git(address):
        clone_repository(address, folder, keeps_git=keeps_git)
        return folder
    name = unquote(urlsplit(address).path).rpartition("/")[2]
    if not name or name in (".", ".."):
        raise UsageError(f"cannot determine a file name for `{address}`")
    digest = _download(address, f"{folder}/{name}")
    if checksum and checksum != f"sha256:{digest}":
        raise DigestMismatchError(f"`{address}` has digest `sha256:{digest}`, expected `{checksum}`")
    return folder


def clone_repository(address: str, folder: str, *, keeps_git: bool = False) -> str:
    """Check a repository out into an empty folder: `URL#REF:SUBFOLDER`; the path of the subfolder."""
    url, _, fragment = address.partition("#")
    reference, _, subfolder = fragment.partition(":")
    _git("init", "--quiet", folder)
    _git("-C", folder, "fetch", "--quiet", "--depth=1", "--", url, reference or "HEAD")
    _git("-C", folder, "checkout", "--quiet", "--detach", "FETCH_HEAD")
    if not keeps_git:
        remove_tree(f"{folder}/.git")
    path = os.path.realpath(os.path.join(folder, subfolder.lstrip("/")))
    if path != os.path.realpath(folder) and not path.startswith(os.path.realpath(folder) + "/"):
        raise UsageError(f"`{subfolder}` is outside of the repository")
    return path


def _git(*arguments: str) -> None:
    try:
        done = subprocess.run(
            ["git", *arguments],
            check=False, capture_output=True, text=True, env={**os.environ, "GIT_TERMINAL_PROMPT": "0"},
        )  # fmt: skip
    except FileNotFoundError:
        raise UnsupportedError("git is not installed", hint="install it, or give a folder") from None
    if done.returncode:
        raise DownloadError(f"git failed: {done.stderr.strip()}")


def _open(address: str) -> HTTPResponse:
    if not address.startswith(("http://", "https://")):
        raise UsageError(f"`{address}` is no address of a file")
    answer: HTTPResponse = urllib.request.urlopen(address, timeout=_TIMEOUT_SECONDS)  # noqa: S310  (checked above)
    return answer


def _download(address: str, path: str) -> str:
    digest = hashlib.sha256()
    try:
        with _open(address) as answer, open(path, "wb") as file:
            while data := answer.read(_CHUNK):
                digest.update(data)
                file.write(data)
            modified = answer.headers.get("Last-Modified")
    except (urllib.error.URLError, OSError) as error:
        raise DownloadError(f"cannot fetch `{address}`: {error}") from error
    os.chmod(path, 0o600)  # docs.docker.com/reference/dockerfile, "ADD": remote files have this mode
    try:
        moment = parsedate_to_datetime(modified).timestamp() if modified else 0.0
    except ValueError:
        moment = 0.0
    os.utime(path, (moment, moment))
    return digest.hexdigest()
