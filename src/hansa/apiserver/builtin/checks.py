"""Value checks that many kinds share. Each returns faults in Kubernetes' words, in Kubernetes' order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_address, ip_network
from typing import Any

from hansa.api.meta import Json
from hansa.base.field import FieldError, forbidden, invalid, not_found, not_supported, required
from hansa.base.names import dns1123_label, dns1123_subdomain, label_value, qualified_name

IMMUTABLE = "field is immutable"
MAX_INT32 = (1 << 31) - 1
_CONFIG_KEY = re.compile(r"^[-._a-zA-Z0-9]+$")
_PORT_NAME = re.compile(r"^[-a-z0-9]+$")
_HTTP_HEADER = re.compile(r"^[-A-Za-z0-9]+$")
_PERCENT = re.compile(r"^[0-9]+%$")
_ENV_NAME = re.compile(r"^[ -<>-~]+$")


def each(path: str, value: Any, messages: Iterable[str]) -> list[FieldError]:
    """One Invalid for each message."""
    return [invalid(path, value, message) for message in messages]


def nonnegative(value: int | None, path: str) -> list[FieldError]:
    if value is not None and value < 0:
        return [invalid(path, value, "must be greater than or equal to 0")]
    return []


def positive(value: int | None, path: str) -> list[FieldError]:
    if value is not None and value <= 0:
        return [invalid(path, value, "must be greater than zero")]
    return []


def one_of(value: str, allowed: Iterable[str], path: str) -> list[FieldError]:
    """Required and one of the values; listed as given (Kubernetes sorts most, not all)."""
    if not value:
        return [required(path)]
    choices = list(allowed)
    return [] if value in choices else [not_supported(path, value, choices)]


def supported(value: str, allowed: Iterable[str], path: str) -> list[FieldError]:
    choices = list(allowed)
    return [] if value in choices else [not_supported(path, value, choices)]


def immutable(new: Any, old: Any, path: str) -> list[FieldError]:
    return [] if new == old else [invalid(path, new, IMMUTABLE)]


def label_faults(value: str) -> list[str]:
    """Of a DNS label; a name that is only wrong by its dots is told so."""
    faults = dns1123_label(value)
    return ["must not contain dots"] if faults and "." in value and not dns1123_subdomain(value) else faults


def label(value: str, path: str) -> list[FieldError]:
    return each(path, value, label_faults(value))


def subdomain(value: str, path: str) -> list[FieldError]:
    return each(path, value, dns1123_subdomain(value))


def qualified(value: str, path: str) -> list[FieldError]:
    return each(path, value, qualified_name(value))


def port_number(value: int, path: str) -> list[FieldError]:
    return [] if 1 <= value <= 65535 else [invalid(path, value, "must be between 1 and 65535, inclusive")]


def port_name_faults(value: str) -> list[str]:
    faults: list[str] = []
    if len(value) > 15:
        faults.append("must be no more than 15 characters")
    if not _PORT_NAME.match(value):
        faults.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search(r"[a-z]", value):
        faults.append("must contain at least one letter (a-z)")
    if "--" in value:
        faults.append("must not contain consecutive hyphens")
    if value and (value[0] == "-" or value[-1] == "-"):
        faults.append("must not begin or end with a hyphen")
    return faults


def port_label(port: Json, named: bool, path: str) -> list[FieldError]:
    """The name of a port of a Service or of Endpoints, a DNS label; `named`: it must have one."""
    name = port.get("name", "")
    if name:
        return label(name, f"{path}.name")
    return [required(f"{path}.name")] if named else []


def port_number_or_name(value: int | str | None, path: str) -> list[FieldError]:
    if isinstance(value, str):
        return each(path, value, port_name_faults(value))
    return port_number(value or 0, path)


def config_key_faults(key: str) -> list[str]:
    """Keys of ConfigMaps and Secrets."""
    faults: list[str] = []
    if len(key) > 253:
        faults.append("must be no more than 253 bytes")
    if not _CONFIG_KEY.match(key):
        faults.append(
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' "
            "(e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
        )
    if key == ".":
        faults.append("must not be '.'")
    elif key == "..":
        faults.append("must not be '..'")
    elif key.startswith(".."):
        faults.append("must not start with '..'")
    return faults


def env_name_faults(name: str) -> list[str]:
    """Names of environment variables: any printable ASCII but `=`."""
    if not name:
        return ["environment variable name must not be empty"]
    if _ENV_NAME.match(name):
        return []
    return ["a valid environment variable name must consist only of printable ASCII characters other than '='"]


def http_header_faults(name: str) -> list[str]:
    if _HTTP_HEADER.match(name):
        return []
    return [
        "a valid HTTP header must consist of alphanumeric characters or '-' "
        "(e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')"
    ]


def user_id(value: int | None, path: str) -> list[FieldError]:
    if value is None or 0 <= value <= MAX_INT32:
        return []
    return [invalid(path, value, "must be between 0 and 2147483647, inclusive")]


def ip(value: str, path: str, known: Iterable[str] = ()) -> list[FieldError]:
    """An IP address; leading zeros and IPv4-mapped forms are refused unless `known` already has the value."""
    if value in known:
        return []
    try:
        address = ip_address(value)
    except ValueError:
        if re.match(r"^\d+(\.\d+){3}$", value) and all(int(part) < 256 for part in value.split(".")):
            return [invalid(path, value, "must not have leading 0s")]
        return [invalid(path, value, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")]
    if address.version == 6 and address.ipv4_mapped is not None:
        return [invalid(path, value, "must not be an IPv4-mapped IPv6 address")]
    return []


def cidr(value: str, path: str, known: Iterable[str] = ()) -> list[FieldError]:
    if value in known:
        return []
    try:
        if "/" not in value:
            raise ValueError(value)
        network = ip_network(value, strict=False)
    except ValueError:
        return [invalid(path, value, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")]
    if ip_address(value.split("/")[0]) != network.network_address:
        return [invalid(path, value, "must not have bits set beyond the prefix length")]
    return []


ON_LOOPBACK = "may not be in the loopback range (127.0.0.0/8, ::1/128)"


def endpoint_ip(value: str, path: str) -> list[FieldError]:
    """Addresses that no endpoint may have."""
    try:
        address = ip_address(value)
    except ValueError:
        return [invalid(path, value, "must be a valid IP address")]
    errors: list[FieldError] = []
    if address.is_unspecified:
        errors.append(invalid(path, value, f"may not be unspecified ({value})"))
    if address.is_loopback:
        errors.append(invalid(path, value, ON_LOOPBACK))
    if address.is_link_local:
        errors.append(invalid(path, value, "may not be in the link-local range (169.254.0.0/16, fe80::/10)"))
    if (address.version == 4 and value.startswith("224.0.0.")) or (
        address.version == 6 and value.lower().startswith("ff02:")
    ):
        errors.append(invalid(path, value, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"))
    return errors


def labels(values: Mapping[str, str] | None, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for key, value in (values or {}).items():
        faults = qualified_name(key)
        if faults:
            errors += each(path, key, faults)
        faults = label_value(value)
        if faults:
            errors += each(path, value, faults)
    return errors


def label_selector(selector: Json | None, path: str, *, any_value: bool = False) -> list[FieldError]:
    """A LabelSelector; `any_value`: values need not be label values (objects from before that rule)."""
    if not selector:
        return []
    errors = labels(selector.get("matchLabels"), f"{path}.matchLabels")
    for index, item in enumerate(selector.get("matchExpressions") or ()):
        here = f"{path}.matchExpressions[{index}]"
        values = item.get("values") or ()
        errors += _operands(item.get("operator", ""), values, here)
        errors += each(f"{here}.key", item.get("key", ""), qualified_name(item.get("key", "")))
        if not any_value:
            for at, value in enumerate(values):
                errors += each(f"{here}.values[{at}]", value, label_value(value))
    return errors


def _operands(operator: str, values: Iterable[str], path: str) -> list[FieldError]:
    match operator:
        case "In" | "NotIn":
            if not values:
                return [required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'")]
        case "Exists" | "DoesNotExist":
            if values:
                return [
                    forbidden(f"{path}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
                ]
        case _:
            return [invalid(f"{path}.operator", operator, "not a valid selector operator")]
    return []


def empty_selector(selector: Json | None) -> bool:
    return not selector or not (selector.get("matchLabels") or selector.get("matchExpressions"))


def no_backsteps(value: str, path: str) -> list[FieldError]:
    if ".." in value.split("/"):
        return [invalid(path, value, "must not contain '..'")]
    return []


def descending_path(value: str, path: str) -> list[FieldError]:
    errors = [invalid(path, value, "must be a relative path")] if value.startswith("/") else []
    return errors + no_backsteps(value, path)


def unreserved_path(value: str, path: str) -> list[FieldError]:
    errors = descending_path(value, path)
    if value.startswith("..") and not value.startswith("../"):
        errors.append(invalid(path, value, "must not start with '..'"))
    return errors


def file_mode(value: int | None, path: str) -> list[FieldError]:
    if value is None or 0 <= value <= 0o777:
        return []
    return [invalid(path, value, "must be a number between 0 and 0777 (octal), both inclusive")]


def is_percent(value: Any) -> bool:
    return isinstance(value, str) and bool(_PERCENT.match(value))


def int_or_percent(value: int | str | None, path: str) -> list[FieldError]:
    """A count or a percentage, not negative."""
    if value is None:
        return []
    if isinstance(value, str):
        if _PERCENT.match(value):
            return []
        text = (
            "a valid percent string must be a numeric string followed by an ending '%' "
            "(e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"
        )
        return [invalid(path, value, text)]
    return nonnegative(value, path)


def at_most_100_percent(value: int | str | None, path: str) -> list[FieldError]:
    if isinstance(value, str) and _PERCENT.match(value) and int(value[:-1]) > 100:
        return [invalid(path, value, "must not be greater than 100%")]
    return []


def missing(path: str, value: Any) -> FieldError:
    """NotFound: a reference within the object to something it does not contain."""
    return not_found(path, value)
