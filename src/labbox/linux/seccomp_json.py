"""Docker's JSON format of seccomp profiles, read into rules.

Format: https://docs.docker.com/engine/security/seccomp/ and opencontainers/runtime-spec, config-linux.md, "Seccomp".
"""

import errno
import os
from typing import Any, NamedTuple

from labbox.errors import UsageError
from labbox.linux import seccomp_profile as profile
from labbox.linux.bpf import Comparison
from labbox.linux.seccomp_profile import Rule

_ACTIONS = {
    "SCMP_ACT_KILL": profile.KILL_THREAD,
    "SCMP_ACT_KILL_THREAD": profile.KILL_THREAD,
    "SCMP_ACT_KILL_PROCESS": profile.KILL_PROCESS,
    "SCMP_ACT_TRAP": profile.TRAP,
    "SCMP_ACT_ERRNO": profile.ERRNO,
    "SCMP_ACT_TRACE": profile.TRACE,
    "SCMP_ACT_LOG": profile.LOG,
    "SCMP_ACT_ALLOW": profile.ALLOW,
}
_ACTIONS_WITH_NUMBER = ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE")
_OPERATORS = {
    "SCMP_CMP_NE": "!=",
    "SCMP_CMP_LT": "<",
    "SCMP_CMP_LE": "<=",
    "SCMP_CMP_EQ": "==",
    "SCMP_CMP_GE": ">=",
    "SCMP_CMP_GT": ">",
    "SCMP_CMP_MASKED_EQ": "==",
}
_ABI_NAMES = {
    "SCMP_ARCH_X86_64": "x86_64",
    "SCMP_ARCH_X86": "i386",
    "SCMP_ARCH_AARCH64": "aarch64",
    "SCMP_ARCH_ARM": "arm",
}
_GO_NAMES = {"x86_64": "amd64", "aarch64": "arm64"}  # how `includes.arches` names the machine
_MAX_ERRNO = 4095
_MAX_ARGUMENT = 5
_KERNEL_VERSION_PARTS = 2
_WORD_64 = 0xFFFFFFFFFFFFFFFF


class CustomProfile(NamedTuple):
    """A profile of the user's own, for one machine and one set of capabilities."""

    default_action: int
    abis: tuple[str, ...]
    rules: list[Rule]


def read_profile(document: Any, capabilities: frozenset[str], architecture: str) -> CustomProfile:
    """The rules of a decoded profile that hold here; raises UsageError that names every fault with its place."""
    reader = _Reader(capabilities, architecture)
    result = reader.read(document)
    if reader.faults:
        raise UsageError("malformed seccomp profile:\n  " + "\n  ".join(reader.faults))
    return result


class _Reader:
    """Walks through a document and collects faults on the way."""

    def __init__(self, capabilities: frozenset[str], architecture: str) -> None:
        self.faults: list[str] = []
        self._capabilities = capabilities
        self._architecture = architecture

    def read(self, document: Any) -> CustomProfile:
        top = self._dictionary(document, "the profile")
        default = self._action(top.get("defaultAction"), top.get("defaultErrnoRet"), "defaultAction")
        entries = self._list(top.get("syscalls"), "syscalls")
        rules: list[Rule] = []
        for index, entry in enumerate(entries):
            rules += self._rules(self._dictionary(entry, f"syscalls[{index}]"), f"syscalls[{index}]")
        # As runc does: a rule that says what holds anyway is left out, so that it cannot shadow another.
        return CustomProfile(default, self._abis(top), [rule for rule in rules if rule.action != default])

    def _abis(self, top: dict[str, Any]) -> tuple[str, ...]:
        names = self._strings(top.get("architectures"), "architectures")
        mapped = self._list(top.get("archMap"), "archMap")
        if names and mapped:
            self.faults.append("archMap: given together with architectures")
        for index, entry in enumerate(mapped):
            place = f"archMap[{index}]"
            fields = self._dictionary(entry, place)
            if _ABI_NAMES.get(str(fields.get("architecture"))) == self._architecture:
                names = self._strings(fields.get("subArchitectures"), f"{place}.subArchitectures")
        listed = {_ABI_NAMES.get(name) for name in names}
        possible = profile.ABIS.get(self._architecture, ())
        return tuple(abi for abi in possible if abi == self._architecture or abi in listed)

    def _rules(self, fields: dict[str, Any], place: str) -> list[Rule]:
        names = self._names(fields, place)
        action = self._action(fields.get("action"), fields.get("errnoRet"), f"{place}.action")
        arguments = self._list(fields.get("args"), f"{place}.args")
        comparisons = [self._comparison(entry, f"{place}.args[{i}]") for i, entry in enumerate(arguments)]
        if not self._applies(fields, place):
            return []
        if len({comparison.argument for comparison in comparisons}) < len(comparisons):
            # As runc does: several comparisons of one argument are alternatives.
            return [Rule(names, action, (comparison,)) for comparison in comparisons]
        return [Rule(names, action, tuple(comparisons))]

    def _names(self, fields: dict[str, Any], place: str) -> tuple[str, ...]:
        names = self._strings(fields.get("names"), f"{place}.names")
        single = fields.get("name")
        if isinstance(single, str) and single:
            if names:
                self.faults.append(f"{place}: both name and names are given")
            return (single,)
        if not names:
            self.faults.append(f"{place}.names: missing required value")
        return tuple(names)

    def _applies(self, fields: dict[str, Any], place: str) -> bool:
        includes = self._dictionary(fields.get("includes") or {}, f"{place}.includes")
        excludes = self._dictionary(fields.get("excludes") or {}, f"{place}.excludes")
        machine = _GO_NAMES.get(self._architecture, self._architecture)
        wanted_machines = self._strings(includes.get("arches"), f"{place}.includes.arches")
        wanted_capabilities = self._strings(includes.get("caps"), f"{place}.includes.caps")
        unwanted_machines = self._strings(excludes.get("arches"), f"{place}.excludes.arches")
        unwanted_capabilities = self._strings(excludes.get("caps"), f"{place}.excludes.caps")
        return (
            (not wanted_machines or machine in wanted_machines)
            and self._capabilities.issuperset(wanted_capabilities)
            and self._kernel_is_at_least(includes.get("minKernel"), f"{place}.includes.minKernel", missing=True)
            and machine not in unwanted_machines
            and self._capabilities.isdisjoint(unwanted_capabilities)
            and not self._kernel_is_at_least(excludes.get("minKernel"), f"{place}.excludes.minKernel", missing=False)
        )

    def _kernel_is_at_least(self, version: Any, place: str, *, missing: bool) -> bool:
        if version is None:
            return missing
        parts = str(version).split(".")
        if len(parts) != _KERNEL_VERSION_PARTS or not all(part.isdecimal() for part in parts):
            self.faults.append(f"{place}: `{version}` is not a kernel version like 4.8")
            return missing
        running = os.uname().release.split(".")
        return (int(running[0]), int(running[1])) >= (int(parts[0]), int(parts[1]))

    def _action(self, name: Any, number: Any, place: str) -> int:
        if name not in _ACTIONS:
            known = ", ".join(_ACTIONS)
            fault = "missing required value" if name is None else f"`{name}` is not one of {known}"
            self.faults.append(f"{place}: {fault}")
            return profile.DENY
        if name not in _ACTIONS_WITH_NUMBER:
            return _ACTIONS[name]
        if number is None:
            number = errno.EPERM
        if not isinstance(number, int) or not 0 <= number <= _MAX_ERRNO:
            self.faults.append(f"{place}: errno `{number}` is not between 0 and {_MAX_ERRNO}")
            number = errno.EPERM
        return _ACTIONS[name] | int(number)

    def _comparison(self, entry: Any, place: str) -> Comparison:
        fields = self._dictionary(entry, place)
        index, operator = fields.get("index"), fields.get("op")
        value, second = fields.get("value", 0), fields.get("valueTwo", 0)
        if not isinstance(index, int) or not 0 <= index <= _MAX_ARGUMENT:
            self.faults.append(f"{place}.index: `{index}` is not between 0 and {_MAX_ARGUMENT}")
            index = 0
        if operator not in _OPERATORS:
            self.faults.append(f"{place}.op: `{operator}` is not one of {', '.join(_OPERATORS)}")
            operator = "SCMP_CMP_EQ"
        for key, number in (("value", value), ("valueTwo", second)):
            if not isinstance(number, int) or not 0 <= number <= _WORD_64:
                self.faults.append(f"{place}.{key}: `{number}` is not an unsigned 64-bit number")
                return Comparison(index, "==", 0)
        if operator == "SCMP_CMP_MASKED_EQ":  # value is the mask, valueTwo what must remain
            return Comparison(index, "==", second, mask=value)
        return Comparison(index, _OPERATORS[operator], value)

    def _dictionary(self, value: Any, place: str) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        self.faults.append(f"{place}: expected an object")
        return {}

    def _list(self, value: Any, place: str) -> list[Any]:
        if value is None or isinstance(value, list):
            return value or []
        self.faults.append(f"{place}: expected a list")
        return []

    def _strings(self, value: Any, place: str) -> list[str]:
        items = self._list(value, place)
        if all(isinstance(item, str) for item in items):
            return items
        self.faults.append(f"{place}: expected a list of names")
        return []
