"""Where blobs were pulled from or pushed to: a push mounts them from there instead of sending them.

<cache>/blob-origins.json    {"<digest>": ["<registry>/<path>", …]}, the last noted last
"""

import os
from collections.abc import Iterable

from labbox.files import locked, make_private_folder, read_json, write_json
from labbox.oci.digest import Digest

_MOST_BLOBS = 5000
_MOST_PLACES = 4


class BlobOrigins:
    """What is remembered below `cache_dir`. A damaged memory is an empty one."""

    def __init__(self, cache_dir: str) -> None:
        self._folder = cache_dir
        self._path = os.path.join(cache_dir, "blob-origins.json")

    def repositories(self, digest: Digest, domain: str) -> list[str]:
        """Paths of repositories on a registry that had the blob, the last noted first."""
        places = [place for place in self._read().get(str(digest), []) if place.startswith(domain + "/")]
        return [place.removeprefix(domain + "/") for place in reversed(places)]

    def note(self, digests: Iterable[Digest], repository: str) -> None:
        """Remember that a repository (with its registry) has these blobs."""
        make_private_folder(self._folder)
        with locked(self._path + ".lock"):
            document = self._read()
            for digest in map(str, digests):
                places = [place for place in document.pop(digest, []) if place != repository]
                document[digest] = [*places, repository][-_MOST_PLACES:]
            newest = dict(list(document.items())[-_MOST_BLOBS:])
            write_json(self._path, newest, durable=False)

    def _read(self) -> dict[str, list[str]]:
        try:
            document = read_json(self._path)
        except (OSError, ValueError):
            return {}
        return document if isinstance(document, dict) else {}
