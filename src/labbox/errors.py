"""Every foreseeable failure of labbox, as one tree.

LabboxError
├── UsageError                  the command line or a value on it cannot be understood (125)
├── NotFoundError               a container, image, volume, file or package does not exist
├── ConflictError               a name, port or state is taken by something else
├── UnsupportedError            this machine or mode cannot give what was asked
├── EngineError                 a container could not be made or started (125)
│   ├── CommandNotExecutableError   the command exists and cannot be run (126)
│   └── CommandNotFoundError        the command does not exist in the container (127)
├── StoreError                  the image store cannot be read or written
│   ├── ArchiveError            an archive is malformed or hostile
│   └── DigestMismatchError     content is not what its digest promises
├── RegistryError               a registry refuses, fails or cannot be reached
└── PackageError                a package archive cannot serve what was asked
    ├── DownloadError           a file could not be fetched
    ├── SignatureError          an index is not signed by a trusted key
    └── ResolutionError         no set of packages satisfies the request

Exit codes are docker's: 125 the engine failed, 126 not executable, 127 not found, 1 otherwise.
"""


class LabboxError(Exception):
    """A failure with a message for people, an optional hint of what to do next, and an exit code."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None, exit_code: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if exit_code is not None:
            self.exit_code = exit_code


class UsageError(LabboxError):
    """The command line, or a value on it, cannot be understood."""

    exit_code = 125


class NotFoundError(LabboxError):
    """A container, image, volume, file or package does not exist."""


class ConflictError(LabboxError):
    """A name, a port or a state is taken by something else."""


class UnsupportedError(LabboxError):
    """This machine, or the mode labbox runs in, cannot give what was asked."""


class EngineError(LabboxError):
    """A container could not be made or started."""

    exit_code = 125


class CommandNotExecutableError(EngineError):
    """The command exists in the container and cannot be run."""

    exit_code = 126


class CommandNotFoundError(EngineError):
    """The command does not exist in the container."""

    exit_code = 127


class StoreError(LabboxError):
    """The image store cannot be read or written."""


class ArchiveError(StoreError):
    """An archive is malformed, or tries to leave the folder it is unpacked into."""


class DigestMismatchError(StoreError):
    """Content is not what its digest promises."""


class RegistryError(LabboxError):
    """A registry refuses, fails, or cannot be reached."""


class PackageError(LabboxError):
    """A package archive cannot serve what was asked."""


class DownloadError(PackageError):
    """A file could not be fetched from any of its addresses."""


class SignatureError(PackageError):
    """An index is not signed by a key that labbox trusts."""


class ResolutionError(PackageError):
    """No set of packages satisfies the request."""
