"""The links that open a lab's services in a browser."""

from urllib.parse import quote, urlencode

from labbox.services.plan import JUPYTER


def service_link(name: str, port: int | None, token: str, *, address: str = "127.0.0.1") -> str:
    """Where a service answers, with its token where it wants one; "" when it has no port."""
    if port is None:
        return ""
    if name == JUPYTER:
        return f"http://{address}:{port}/lab?{urlencode({'token': token})}"
    return f"http://{address}:{port}/"


def notebook_link(port: int, token: str, path: str, *, address: str = "127.0.0.1") -> str:
    """Where JupyterLab opens a file of the project folder."""
    return f"http://{address}:{port}/lab/tree/{quote(path)}?{urlencode({'token': token})}"
