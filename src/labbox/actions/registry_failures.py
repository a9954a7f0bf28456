"""What a registry's refusal means for an image, in docker's words."""

from labbox.errors import LabboxError, NotFoundError, RegistryError
from labbox.oci.reference import Reference
from labbox.registry.answer import AnswerError
from labbox.registry.session import is_refusal


def pull_failure(reference: Reference, error: AnswerError) -> LabboxError:
    """Why an image cannot be pulled."""
    if is_refusal(error) or error.says("NAME_UNKNOWN"):
        return RegistryError(
            f"pull access denied for {reference.familiar_repository}, repository does not exist or may require "
            f"'labbox login': {error.text or error.message}",
            hint=_login_hint(reference) if is_refusal(error) else None,
        )
    if error.status == 404:
        return NotFoundError(f"manifest for {reference.familiar} not found: {error.text or 'manifest unknown'}")
    if error.status == 429:
        error.hint = error.hint or f"The registry limits how much is pulled. {_login_hint(reference)}"
    return error


def push_failure(reference: Reference, error: AnswerError) -> LabboxError:
    """Why an image cannot be pushed."""
    if is_refusal(error):
        return RegistryError(
            f"push access denied for {reference.familiar_repository}: {error.text or error.message}",
            hint=_login_hint(reference),
        )
    return error


def _login_hint(reference: Reference) -> str:
    server = "" if reference.domain == "docker.io" else f" {reference.domain}"
    return f"Log in, or with another user: labbox login{server}"
