"""Getting the image that `run` and `create` name, with docker's words about it."""

from labbox.actions.find_image import familiar_name, find_image
from labbox.cli.output import note
from labbox.errors import LabboxError
from labbox.lightweight_typing import TYPE_CHECKING
from labbox.settings import Settings
from labbox.store.images import StoredImage

if TYPE_CHECKING:
    from labbox.oci.reference import Reference


def get_image(settings: Settings, name: str, *, pull: str, platform: str | None, quiet: bool) -> StoredImage:
    """The image of that name; when it is missing and may be got, it is pulled, or a Debian release assembled."""

    def assemble(release: str, wanted_name: str) -> None:
        from labbox.cli.assembling import assemble_release

        if not quiet:
            unable = "" if pull == "always" else f"Unable to find image '{familiar_name(name)}' locally; "
            note(f"{unable}assembling {'it' if unable else familiar_name(name)} from the Debian archive")
        assemble_release(settings, release, wanted_name, quiet=quiet)

    def fetch(reference: "Reference") -> StoredImage:
        from labbox.cli.pulling import pull_for_container

        if not quiet and pull != "always":
            note(f"Unable to find image '{familiar_name(name)}' locally")
        return pull_for_container(reference, platform, quiet=quiet)

    image = find_image(settings, name, pull=pull, assemble=assemble, fetch=fetch)
    if platform is not None:
        _check_platform(image, platform)
    return image


def _check_platform(image: StoredImage, wanted: str) -> None:
    actual = f"{image.config.platform.os}/{image.config.platform.architecture}"
    if wanted not in (actual, actual.partition("/")[0], actual.partition("/")[2]):
        raise LabboxError(f"image was found but its platform ({actual}) does not match the specified one ({wanted})")
