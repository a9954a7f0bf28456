"""The flags of `add` and `remove`."""

from labbox.cli.flags import Flag
from labbox.cli.listing import JSON_FLAG

PACKAGE_FLAGS = (
    Flag("directory", "string", "The project folder, instead of the current one", short="C"),
    JSON_FLAG,
    Flag("quiet", "", "Print nothing but failures", short="q"),
    Flag("system", "", "The packages are Debian's, not Python's"),
)
