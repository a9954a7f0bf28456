"""`labbox build`."""

import os

from labbox.cli.flags import Arguments, Command, Flag
from labbox.cli.listing import JSON_FLAG
from labbox.cli.output import note, print_json
from labbox.cli.session import open_engine
from labbox.lightweight_typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labbox.actions.check_image import Comparison

COMMAND = Command(
    name="build",
    usage="[PATH | URL | -]",
    summary="Build an image from a Dockerfile, or the image of a lab from its lock",
    flags=(
        Flag("build-arg", "list", "Set build-time variables"),
        Flag("check", "", "Make it once more from nothing but the lock, and tell what differs"),
        Flag("file", "string", "Name of the Dockerfile (default: PATH/Dockerfile); - reads it from stdin", short="f"),
        Flag("frozen", "", "Use labbox.lock as it is; fail when it does not fit the definition"),
        Flag("iidfile", "string", "Write the image ID to a file"),
        JSON_FLAG,
        Flag("label", "list", "Set metadata for an image"),
        Flag("name", "string", "Name of the lab, instead of the definition's or the folder's"),
        Flag("network", "string", "Set the networking mode for the RUN instructions during build", default="default"),
        Flag("no-cache", "", "Do not use cache when building the image"),
        Flag("platform", "string", "Set target platform for build"),
        Flag("progress", "string", "Set type of progress output (auto, plain, quiet)", default="auto"),
        Flag("pull", "", "Always attempt to pull all referenced images"),
        Flag("quiet", "", "Print only the image's id", short="q"),
        Flag("secret", "list", "Secret to expose to the build (id=mysecret[,src=/local/secret])"),
        Flag("ssh", "list", "SSH agent to expose to the build (default)"),
        Flag("tag", "list", "Name and optionally a tag (format: name:tag)", short="t"),
        Flag("target", "string", "Set the target build stage to build"),
    ),
    maximum=1,
    description="""\
What is built: with any flag of docker's (-t, -f, --target, --build-arg, --label, --no-cache, --platform, --secret, …),
and in a folder with a Dockerfile and nothing that defines a lab, the Dockerfile, as docker does. Else the image of the
lab in the folder, from its lock; --check, --frozen and --name belong to that, and with --check the exit code is 1 when
the image comes out otherwise.""",
)


def execute(arguments: Arguments) -> int:
    """Build a Dockerfile, or the lab of a folder; print the image's id, and with `--check` compare."""
    from labbox.cli.building import build_dockerfile, means_dockerfile

    return build_dockerfile(arguments) if means_dockerfile(arguments) else _build_lab(arguments)


def _build_lab(arguments: Arguments) -> int:
    from labbox.actions.build_lab import build_lab_image
    from labbox.actions.check_image import check_image
    from labbox.actions.lab.prepare import LabRequest
    from labbox.cli.lab_stages import lab_stages

    request = LabRequest(
        project=arguments.positionals[0] if arguments.positionals else os.getcwd(),
        name=arguments.text("name"),
        frozen=arguments.switch("frozen"),
    )
    quiet = arguments.switch("quiet") or arguments.switch("json")
    engine = open_engine()
    with lab_stages(quiet=quiet) as stages:
        prepared = build_lab_image(engine, request, os.environ, stages.report, note)
        comparison = check_image(engine, prepared, os.environ, stages.report) if arguments.switch("check") else None
    image = prepared.image.image
    if arguments.switch("json"):
        document = {"name": prepared.image.name, "id": str(image.id), "digest": str(image.manifest_digest)}
        print_json(document if comparison is None else {**document, **_comparison_document(comparison)})
    else:
        if not quiet:
            note(f"{prepared.image.name}: {len(image.diff_ids)} layers, {image.manifest_digest}")
        print(image.id)
        if comparison is not None:
            _print_comparison(comparison)
    return 0 if comparison is None or comparison.is_equal else 1


def _print_comparison(comparison: "Comparison") -> None:
    if comparison.is_equal:
        note("made again: the same image, byte for byte")
        return
    note(f"made again: another image, {comparison.again.manifest_digest}")
    for difference in comparison.differences:
        here, again = (digest.short if digest else "none" for digest in (difference.here, difference.again))
        note(f"  layer {difference.number} ({difference.title}): {here} here, {again} again")
    if not comparison.differences:
        note("  the layers are the same; the configuration or the archives differ")


def _comparison_document(comparison: "Comparison") -> dict[str, object]:
    return {
        "equal": comparison.is_equal,
        "again": str(comparison.again.manifest_digest),
        "differences": [
            {
                "layer": difference.number,
                "title": difference.title,
                "here": str(difference.here) if difference.here else None,
                "again": str(difference.again) if difference.again else None,
            }
            for difference in comparison.differences
        ],
    }
