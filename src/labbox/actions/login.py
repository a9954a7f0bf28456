"""`labbox login` and `labbox logout`: credentials that a registry has accepted, kept where docker keeps them."""

from collections.abc import Mapping

from labbox.errors import RegistryError
from labbox.registry.address import RegistryAddress
from labbox.registry.answer import AnswerError
from labbox.registry.credentials import CredentialStore, Login
from labbox.registry.session import Session, is_refusal


def log_in(registry: RegistryAddress, login: Login, environment: Mapping[str, str]) -> str:
    """Keep credentials once the registry has accepted them; the file they are in, empty when a helper has them.

    Raises RegistryError when the registry refuses them or cannot be reached; nothing is kept then.
    """
    with Session(registry, login) as session:
        try:
            with session.open("GET", "/v2/") as answer:
                answer.read(1 << 20)
        except AnswerError as error:
            if not is_refusal(error):
                raise
            raise RegistryError(
                f"login attempt to {session.base}/v2/ failed with status: {error.status} "
                f"{'Unauthorized' if error.status == 401 else 'Forbidden'}{f' ({error.text})' if error.text else ''}",
                hint="Check user and password; many registries want an access token in place of the password.",
            ) from error
    return CredentialStore(environment).keep(registry, login)


def log_out(registry: RegistryAddress, environment: Mapping[str, str]) -> bool:
    """Forget the credentials for a registry; False when there were none."""
    return CredentialStore(environment).forget(registry)
