"""Names: what Kubernetes accepts as one, and how Karmada derives one from another.

The checks return messages, none when the name is fine, in the words of the Kubernetes API (RFC 1123 and 1035, qualified
names, label values, path segments).
"""

from __future__ import annotations

import re
from collections.abc import Callable

ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""Characters of generated names: no vowels and no look-alikes."""

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DNS1123_LABEL = re.compile(_LABEL)
_DNS1123_SUBDOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_DNS1035_LABEL = re.compile("[a-z]([-a-z0-9]*[a-z0-9])?")
_QUALIFIED = re.compile("([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_LABEL_VALUE = re.compile("(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")

EXECUTION_PREFIX = "karmada-es-"


def dns1123_label(name: str) -> list[str]:
    faults = _too_long(name, 63)
    if not _DNS1123_LABEL.fullmatch(name):
        faults.append(
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and"
            " end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is"
            " '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
        )
    return faults


def dns1123_subdomain(name: str) -> list[str]:
    faults = _too_long(name, 253)
    if not _DNS1123_SUBDOMAIN.fullmatch(name):
        faults.append(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must"
            " start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is"
            r" '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
        )
    return faults


def dns1035_label(name: str) -> list[str]:
    faults = _too_long(name, 63)
    if not _DNS1035_LABEL.fullmatch(name):
        faults.append(
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic"
            " character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for"
            " validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
        )
    return faults


def path_segment(name: str) -> list[str]:
    """Names of RBAC objects: anything that can be one part of a path."""
    if name in (".", ".."):
        return [f"may not be '{name}'"]
    return [f"may not contain '{character}'" for character in "/%" if character in name]


def qualified_name(name: str) -> list[str]:
    """Keys of labels, annotations and finalizers: `prefix/name` or `name`."""
    prefix, slash, local = name.rpartition("/")
    faults: list[str] = []
    if "/" in prefix:
        return [
            "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an"
            " alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is"
            " '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g."
            " 'example.com/MyName')"
        ]
    if slash:
        if not prefix:
            faults.append("prefix part must be non-empty")
        else:
            faults += [f"prefix part {fault}" for fault in dns1123_subdomain(prefix)]
    if not local:
        faults.append("name part must be non-empty")
    elif len(local) > 63:
        faults.append("name part must be no more than 63 bytes")
    if not _QUALIFIED.fullmatch(local):
        faults.append(
            "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an"
            " alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is"
            " '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
        )
    return faults


def label_value(value: str) -> list[str]:
    faults = _too_long(value, 63)
    if not _LABEL_VALUE.fullmatch(value):
        faults.append(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must"
            " start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used"
            " for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
        )
    return faults


def _too_long(name: str, limit: int) -> list[str]:
    return [f"must be no more than {limit} bytes"] if len(name.encode()) > limit else []


# -- derived names ----------------------------------------------------------------------------------------------------


def fnv1a32(text: str) -> int:
    """FNV-1a, 32 bits, over UTF-8."""
    value = 2166136261
    for byte in text.encode():
        value = ((value ^ byte) * 16777619) & 0xFFFFFFFF
    return value


def safe_encode(number: int) -> str:
    """The decimal digits of `number` in the alphabet of generated names."""
    return "".join(ALPHABET[ord(digit) % len(ALPHABET)] for digit in str(number))


def random_suffix(random: Callable[[], float], length: int = 5) -> str:
    """What generateName appends. `random` gives numbers in [0, 1)."""
    return "".join(ALPHABET[int(random() * len(ALPHABET))] for _ in range(length))


def binding_name(name: str, kind: str) -> str:
    """Name of the binding of a template. The group is not part of it: one kind in two groups shares the name."""
    return f"{name.replace(':', '.')}-{kind}".lower()


def execution_namespace(cluster: str) -> str:
    """The hub's namespace for the Works of a cluster."""
    return EXECUTION_PREFIX + cluster


def cluster_of(namespace: str) -> str | None:
    """The cluster of an execution namespace, None for any other namespace."""
    return namespace.removeprefix(EXECUTION_PREFIX) if namespace.startswith(EXECUTION_PREFIX) else None


def work_name(namespace: str, name: str, kind: str) -> str:
    """Name of the Work for one object; `namespace` is empty for cluster-scoped kinds."""
    plain = name.replace(":", ".").lower()
    seed = f"{namespace}-{plain}-{kind}" if namespace else f"{plain}-{kind}"
    return f"{plain}-{safe_encode(fnv1a32(seed.lower()))}"


def reference_key(namespace: str, name: str) -> str:
    """How an attached binding's label refers to the binding that it belongs to."""
    return safe_encode(fnv1a32(f"{namespace}/{name}" if namespace else name))
