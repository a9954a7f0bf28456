"""What steps have given before: one small file per step, found by a digest of all that its result follows from."""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labbox.files import make_private_folder, read_json, write_json
from labbox.oci.digest import Digest, parse_digest
from labbox.store.layers import LayerStore

# Part of every digest: a change of what a step makes of the same input needs a new number.
_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """When a step was run, and the layer that it made, if any."""

    created: str
    diff_id: Digest | None


class StepCache:
    """Records below the cache folder; `is_used` False only writes."""

    def __init__(self, cache_dir: str, layers: LayerStore, *, is_used: bool) -> None:
        self._folder = os.path.join(cache_dir, "dockerfile", "steps")
        self._layers = layers
        self._is_used = is_used

    def find(self, key: str) -> StepRecord | None:
        """What the step gave, when its layer is still unpacked here."""
        if not self._is_used:
            return None
        try:
            document = read_json(f"{self._folder}/{key}.json")
            diff_id = parse_digest(document["diff_id"]) if document["diff_id"] else None
            record = StepRecord(created=document["created"], diff_id=diff_id)
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None
        is_here = diff_id is None or (self._layers.has(diff_id) and self._layers.record(diff_id).is_canonical)
        return record if is_here else None

    def keep(self, key: str, record: StepRecord) -> None:
        """Note what a step gave."""
        make_private_folder(self._folder)
        document = {"created": record.created, "diff_id": str(record.diff_id) if record.diff_id else ""}
        write_json(f"{self._folder}/{key}.json", document)


def step_key(below: Sequence[Digest], *said: Any) -> str:
    """The digest of a step: the layers below and whatever it depends on, as plain values."""
    text = json.dumps([_VERSION, [str(diff_id) for diff_id in below], *said], sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
