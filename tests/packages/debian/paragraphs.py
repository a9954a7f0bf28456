"""Paragraphs of a package index."""

from labbox.packages.debian.index import PackageIndex, scan_index


def paragraph(  # noqa: PLR0913  (one keyword a field)
    name: str,
    version: str = "1",
    *,
    depends: str = "",
    conflicts: str = "",
    provides: str = "",
    essential: bool = False,
    priority: str = "optional",
    multi_arch: str = "no",
    content: bytes = b"",
    sha256: str = "00" * 32,
) -> str:
    """One paragraph; `content` sets nothing but the size."""
    fields = {
        "Package": name,
        "Version": version,
        "Architecture": "amd64",
        "Essential": "yes" if essential else "",
        "Multi-Arch": multi_arch,
        "Depends": depends,
        "Conflicts": conflicts,
        "Provides": provides,
        "Priority": priority,
        "Filename": f"pool/{name[0]}/{name}_{version}.deb",
        "Size": str(len(content) or 100),
        "SHA256": sha256,
    }
    return "".join(f"{key}: {value}\n" for key, value in fields.items() if value)


def index_of(*paragraphs: str, archive: str = "debian") -> PackageIndex:
    """An index of these paragraphs."""
    return scan_index("\n".join(paragraphs).encode(), archive)
