"""Descriptors: how one document of an image points at another (image-spec descriptor.md)."""

from collections.abc import Mapping

from labbox.lightweight_typing import Any, NamedTuple
from labbox.oci import document
from labbox.oci.digest import Digest
from labbox.oci.platform import Platform

_KNOWN = frozenset({"mediaType", "digest", "size", "platform", "annotations"})


class Descriptor(NamedTuple):
    """The type, digest and size of some content; `extra` keeps members that labbox does not interpret."""

    media_type: str
    digest: Digest
    size_bytes: int
    platform: Platform | None = None
    annotations: Mapping[str, str] = {}
    extra: Mapping[str, Any] = {}

    def with_annotations(self, annotations: Mapping[str, str]) -> "Descriptor":
        """The same content with these annotations instead."""
        return self._replace(annotations=dict(annotations))

    def to_document(self) -> dict[str, Any]:
        """The descriptor as a JSON object."""
        result: dict[str, Any] = {
            **self.extra,
            "mediaType": self.media_type,
            "digest": str(self.digest),
            "size": self.size_bytes,
        }
        if self.platform is not None:
            result["platform"] = _platform_document(self.platform)
        if self.annotations:
            result["annotations"] = dict(self.annotations)
        return result


def parse_descriptor(value: Any, path: str) -> Descriptor:
    """The descriptor that a JSON value spells; raises ArchiveError naming the faulty member."""
    members = document.as_object(value, path)
    return Descriptor(
        media_type=document.required(members, "mediaType", path, document.as_text),
        digest=document.required(members, "digest", path, document.as_digest),
        size_bytes=document.required(members, "size", path, document.as_size),
        platform=document.optional(members, "platform", path, _parse_platform, None),
        annotations=document.optional(members, "annotations", path, document.as_text_map, {}),
        extra={key: member for key, member in members.items() if key not in _KNOWN},
    )


def _parse_platform(value: Any, path: str) -> Platform | None:
    members = document.as_object(value, path)
    return Platform(
        os=document.optional(members, "os", path, document.as_text, ""),
        architecture=document.optional(members, "architecture", path, document.as_text, ""),
        variant=document.optional(members, "variant", path, document.as_text, ""),
    )


def _platform_document(platform: Platform) -> dict[str, str]:
    result = {"architecture": platform.architecture, "os": platform.os}
    if platform.variant:
        result["variant"] = platform.variant
    return result
