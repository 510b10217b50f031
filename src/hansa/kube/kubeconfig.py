"""Kubeconfig files as they are written: named clusters, users and contexts, merged from several files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from hansa.api.meta import Json
from hansa.kube.errors import ConfigError

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Entry:
    """One named cluster, user or context, and the file that it came from."""

    kind: str
    name: str
    data: Json = field(repr=False)
    file: Path

    def text(self, key: str) -> str:
        """A string value, empty when absent. Raises ConfigError for another type."""
        value = self.data.get(key)
        if value is None:
            return ""
        if isinstance(value, dict | list):
            raise ConfigError(f"{self.at(key)} must be a string")
        return str(value)

    def at(self, key: str) -> str:
        """Where a value stands, for messages: `/home/me/.kube/config: user "me": tokenFile`."""
        return f'{self.file}: {self.kind} "{self.name}": {key}'

    def resolve(self, path: str) -> Path:
        """A path as this file means it: relative to its folder."""
        return self.file.parent / path


@dataclass(frozen=True, slots=True)
class Kubeconfig:
    """What the files say together. `where` names them."""

    where: str
    current_context: str
    clusters: dict[str, Entry]
    users: dict[str, Entry]
    contexts: dict[str, Entry]


def read(files: Sequence[Path]) -> Kubeconfig:
    """Read and merge: of several entries with one name, and of several current-contexts, the first holds.

    Raises ConfigError for a file that cannot be read or is no kubeconfig.
    """
    merged = Kubeconfig(os.pathsep.join(map(str, files)), "", {}, {}, {})
    current = ""
    for file in files:
        document = _document(file)
        current = current or str(document.get("current-context") or "")
        for kind, entries in (("cluster", merged.clusters), ("user", merged.users), ("context", merged.contexts)):
            for entry in _entries(file, document, kind):
                entries.setdefault(entry.name, entry)
    return Kubeconfig(merged.where, current, merged.clusters, merged.users, merged.contexts)


def _document(file: Path) -> Json:
    try:
        document: Any = yaml.load(file.read_bytes(), Loader=_Loader)
    except FileNotFoundError as error:
        raise ConfigError(f"kubeconfig {file} does not exist; give one with --kubeconfig or $KUBECONFIG") from error
    except OSError as error:
        raise ConfigError(f"kubeconfig {file} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark is not None else ""
        raise ConfigError(f"kubeconfig {file} is not YAML{line}") from None  # the text may hold secrets
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise ConfigError(f"kubeconfig {file} is not a kubeconfig: it has no fields")
    return document


def _entries(file: Path, document: Json, kind: str) -> list[Entry]:
    listed = document.get(f"{kind}s") or []
    if not isinstance(listed, list):
        raise ConfigError(f"kubeconfig {file}: {kind}s must be a list")
    found: list[Entry] = []
    for number, entry in enumerate(listed):
        if not isinstance(entry, dict) or not entry.get("name"):
            raise ConfigError(f"kubeconfig {file}: {kind}s[{number}] has no name")
        data = entry.get(kind) or {}
        if not isinstance(data, dict):
            raise ConfigError(f"kubeconfig {file}: {kind}s[{number}].{kind} must be an object")
        found.append(Entry(kind, str(entry["name"]), data, file))
    return found
