"""A lock as a bill of materials: SPDX 2.3 in JSON (https://spdx.github.io/spdx-spec/v2.3/)."""

import json
import re
from typing import Any
from urllib.parse import quote

from labbox import __version__
from labbox.lock.lab import LabLock, LockedImage, LockedWheel
from labbox.lock.system import LockedDeb

_UNKNOWN = "NOASSERTION"
_ROOT = "SPDXRef-lab"


def format_spdx(lock: LabLock, name: str) -> str:
    """Every Debian package and every wheel of a lab; the same lock gives the same document."""
    debs = () if isinstance(lock.system, LockedImage) else lock.system.debs
    release = "" if isinstance(lock.system, LockedImage) else lock.system.release
    parts = [_deb(deb, release) for deb in (*debs, *lock.additions)]
    parts += [_wheel(wheel, "environment") for wheel in lock.packages]
    parts += [_wheel(wheel, "services") for wheel in lock.services]
    document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": name,
        "documentNamespace": f"https://spdx.org/spdxdocs/labbox-{quote(name)}-{lock.request}-{lock.epoch}",
        "creationInfo": {
            "created": lock.locked_at.replace("+00:00", "Z"),
            "creators": [f"Tool: labbox-{__version__}"],
        },
        "packages": [_lab(lock, name), *parts],
        "relationships": [
            _relation("SPDXRef-DOCUMENT", "DESCRIBES", _ROOT),
            *(_relation(_ROOT, "CONTAINS", part["SPDXID"]) for part in parts),
        ],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _lab(lock: LabLock, name: str) -> dict[str, Any]:
    system = f"{lock.system.name}@{lock.system.digest}" if isinstance(lock.system, LockedImage) else lock.system.release
    return {
        "SPDXID": _ROOT,
        "name": name,
        "versionInfo": lock.request[:12],
        "downloadLocation": _UNKNOWN,
        "filesAnalyzed": False,
        "primaryPackagePurpose": "CONTAINER",
        "comment": f"{system}, {lock.platform}",
        **_licences(),
    }


def _deb(deb: LockedDeb, release: str) -> dict[str, Any]:
    distribution = release.replace(":", "-")
    purl = f"pkg:deb/debian/{quote(deb.name, safe='')}@{quote(deb.version, safe='')}"
    return _package(
        f"SPDXRef-deb-{_identifier(deb.name)}",
        deb.name,
        deb.version,
        f"https://deb.debian.org/{deb.archive}/{deb.path}",
        deb.sha256,
        f"{purl}?arch={deb.architecture}&distro={distribution}",
    )


def _wheel(wheel: LockedWheel, part: str) -> dict[str, Any]:
    source = wheel.source
    address = wheel.url or (source.url if source is not None else "")
    document = _package(
        f"SPDXRef-{part}-{_identifier(wheel.name)}",
        wheel.name,
        wheel.version,
        address if address.startswith("http") else _UNKNOWN,
        wheel.sha256,
        f"pkg:pypi/{wheel.name}@{quote(wheel.version, safe='')}",
    )
    if source is not None:
        document["sourceInfo"] = f"built from {source.url} (sha256 {source.sha256})"
    return document


def _package(identifier: str, name: str, version: str, address: str, sha256: str, purl: str) -> dict[str, Any]:
    return {
        "SPDXID": identifier,
        "name": name,
        "versionInfo": version,
        "downloadLocation": address,
        "filesAnalyzed": False,
        "checksums": [{"algorithm": "SHA256", "checksumValue": sha256}],
        "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl}],
        **_licences(),
    }


def _licences() -> dict[str, str]:
    return {"licenseConcluded": _UNKNOWN, "licenseDeclared": _UNKNOWN, "copyrightText": _UNKNOWN}


def _relation(one: str, kind: str, other: str) -> dict[str, str]:
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}


def _identifier(name: str) -> str:
    """A name in the letters that an SPDX identifier may have; `+` and the like keep names apart."""
    return re.sub(r"[^A-Za-z0-9.\-]", lambda match: f"-{ord(match[0]):x}-", name)
