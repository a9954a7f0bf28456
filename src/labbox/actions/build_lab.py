"""`labbox build`: the image of a lab, without starting anything."""

from collections.abc import Callable, Mapping

from labbox.actions.lab.prepare import LabRequest, PreparedLab, prepare_lab
from labbox.actions.lab.record import lab_folder
from labbox.engine.embedded.engine import EmbeddedEngine


def build_lab_image(
    engine: EmbeddedEngine,
    request: LabRequest,
    environment: Mapping[str, str],
    report: Callable[[str, int, int], None],
    say: Callable[[str], None],
) -> PreparedLab:
    """Lock and build; the lab's record names the image afterwards. Raises what the steps raise."""
    lab = lab_folder(engine.settings, request.project)
    with lab.changing(lambda: say("another labbox works on this lab: waiting for it")):
        prepared = prepare_lab(engine, lab, request, environment, report)
        lab.write(prepared.record)
        return prepared
