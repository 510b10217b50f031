"""Distil how Kubernetes' Go types read and write JSON into `src/hansa/apiserver/builtin/shapes.json.gz`.

    python tools/distil/go_shapes.py ~/go/pkg/mod/k8s.io 0.37.2

OpenAPI documents do not say which fields are left out when empty, which always appear, and which tell null from zero;
the struct tags do. Only names, types and tags are read: no prose. The format is described in `builtin/shape.py`.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from pathlib import Path
from typing import Any

GROUPS = {
    "core/v1": "",
    "apps/v1": "apps",
    "batch/v1": "batch",
    "autoscaling/v1": "autoscaling",
    "autoscaling/v2": "autoscaling",
    "networking/v1": "networking.k8s.io",
    "policy/v1": "policy",
    "discovery/v1": "discovery.k8s.io",
    "admissionregistration/v1": "admissionregistration.k8s.io",
    "rbac/v1": "rbac.authorization.k8s.io",
    "storage/v1": "storage.k8s.io",
    "scheduling/v1": "scheduling.k8s.io",
    "certificates/v1": "certificates.k8s.io",
    "coordination/v1": "coordination.k8s.io",
    "events/v1": "events.k8s.io",
    "authentication/v1": "authentication.k8s.io",
    "authorization/v1": "authorization.k8s.io",
    "node/v1": "node.k8s.io",
    "flowcontrol/v1": "flowcontrol.apiserver.k8s.io",
}
SCALARS = {
    "string": "s",
    "bool": "b",
    "int32": "i",
    "int64": "l",
    "int": "l",
    "uint8": "i",
    "float64": "f",
    "meta.Time": "t",
    "meta.MicroTime": "u",
    "meta.Duration": "d",
    "meta.FieldsV1": "j",
    "meta.UID": "s",
    "resource.Quantity": "q",
    "intstr.IntOrString": "x",
    "runtime.RawExtension": "j",
    "types.UID": "s",
    "types.NodeName": "s",
}
STRUCT = re.compile(r"^type (\w+) struct \{(.*?)^\}", re.M | re.S)
EMPTY = re.compile(r"^type (\w+) struct \{\s*\}", re.M)
ALIAS = re.compile(r"^type (\w+) (?!struct|interface)([\w.\[\]*]+)", re.M)
INTERNAL = ("PodSpec", "PodTemplateSpec", "EphemeralContainer", "PersistentVolumeClaimSpec", "PersistentVolumeSource")
"""Internal types of which error messages print whole values."""
BARE_FIELD = re.compile(r"^\s*(?:(\w+)\s+)?([*\w.\[\]]+)\s*(?://.*)?$")
FIELD = re.compile(r'^\s*(?:(\w+)\s+)?([*\w.\[\]]+)\s+`json:"([^"]*)"', re.M)
CONST = re.compile(r'^\s*(?:const\s+)?(\w+)(?:\s+\w+)?\s*=\s*("[^"]*"|-?[0-9]+)(?=\s)', re.M)


def _literal(text: str) -> Any:
    return json.loads(text) if text.startswith('"') else int(text, 0 if not text.startswith("0") else 8)


class Package:
    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.structs = {match[1]: match[2] for match in STRUCT.finditer(text)}
        self.structs |= {match[1]: "" for match in EMPTY.finditer(text)}
        self.aliases = {match[1]: match[2] for match in ALIAS.finditer(text)}
        self.consts = {match[1]: _literal(match[2]) for match in CONST.finditer(text)}


class Shapes:
    def __init__(self, packages: dict[str, Package]) -> None:
        self.packages = packages
        self.out: dict[str, Any] = {}
        self.named: dict[str, dict[str, str]] = {}

    def code(self, package: Package, go_type: str) -> str:
        if go_type.startswith("*"):
            return "*" + self.code(package, go_type[1:])
        if go_type.startswith("[]"):
            if go_type == "[]byte":
                return "B"
            return "[" + self.code(package, go_type[2:])
        if match := re.match(r"map\[[\w.]+\](.*)", go_type):
            return "{" + self.code(package, match[1])
        prefix, _, name = go_type.rpartition(".")
        prefix = {
            "metav1": "meta",
            "v1": "core/v1" if package.name != "core/v1" else "v1",
            "corev1": "core/v1",
            "apiv1": "core/v1",
        }.get(prefix, prefix)
        if not prefix and go_type in SCALARS:
            return SCALARS[go_type]
        where = self.packages.get(prefix, package) if prefix else package
        if f"{prefix}.{name}" in SCALARS:
            return SCALARS[f"{prefix}.{name}"]
        if where.name == "meta" and f"meta.{name}" in SCALARS:
            return SCALARS[f"meta.{name}"]
        if name in where.structs:
            self.struct(where, name)
            return f"@{where.name}.{name}"
        if name in where.aliases:
            return self.code(where, where.aliases[name])
        return "j"  # alpha types: kept as given

    def struct(self, package: Package, name: str) -> list[Any]:
        key = f"{package.name}.{name}"
        if key in self.out:
            return self.out[key]
        fields: list[Any] = []
        self.out[key] = fields
        default: Any = None
        for line in package.structs[name].splitlines():
            marker = re.match(r"\s*// \+default=(.*)", line)
            if marker:
                default = marker[1].strip()
                continue
            match = FIELD.match(line)
            if not match:
                continue
            _, go_type, tag = match.groups()
            json_name, *options = tag.split(",")
            if "inline" in options or (not json_name and not match[1]):
                base = go_type.rpartition(".")[2]
                if base in ("TypeMeta",):
                    fields += [["kind", "s", "o"], ["apiVersion", "s", "o"]]
                else:
                    where = package
                    prefix = go_type.rpartition(".")[0]
                    if prefix in ("metav1",):
                        where = self.packages["meta"]
                    elif prefix == "v1":
                        where = self.packages["core/v1"]
                    fields += self.struct(where, base)
                continue
            if json_name == "-":
                continue
            named = go_type.lstrip("*")
            if named in package.aliases and self.code(package, named) in ("s", "i", "l"):
                self.named.setdefault(key, {})[json_name] = f"{package.name.rpartition('/')[2]}.{named}"
            flags = ("o" if "omitempty" in options else "") + ("z" if "omitzero" in options else "")
            entry: list[Any] = [json_name, self.code(package, go_type), flags]
            if default is not None:
                entry.append(self.value(package, default))
                default = None
            fields.append(entry)
        return fields

    def value(self, package: Package, text: str) -> Any:
        if text.startswith("ref("):
            return package.consts[text[4:-1].rpartition(".")[2]]
        return json.loads(text)


class Internals:
    """Kubernetes' internal types have no tags: their fields print by their Go names, all of them.

    A field is `[Go name, name in JSON of the versioned type, code]`; a type that is not internal is coded `j`, and is
    spread among its neighbours where the Go name is empty.
    """

    def __init__(self, shapes: Shapes, internal: Package, versioned: Package) -> None:
        self.shapes, self.internal, self.versioned = shapes, internal, versioned
        self.out: dict[str, Any] = {}

    def struct(self, name: str) -> list[Any]:
        if name in self.out:
            return self.out[name]
        fields: list[Any] = []
        self.out[name] = fields
        tags = self.tags(name)
        for line in self.internal.structs[name].splitlines():
            match = BARE_FIELD.match(line)
            if line.strip().startswith("//") or not match:
                continue
            go_name, go_type = match.groups()
            if go_name is None and go_type == "metav1.ObjectMeta":
                fields.append(["", "metadata", "j"])
            elif go_name is None:
                fields += self.struct(go_type)
            elif go_name in tags:
                fields.append([go_name, tags[go_name], self.code(go_type)])
        return fields

    def tags(self, name: str) -> dict[str, str]:
        body = self.versioned.structs.get(name, "")
        return {match[1]: match[3].partition(",")[0] for match in FIELD.finditer(body) if match[1]}

    def code(self, go_type: str) -> str:
        head = re.match(r"\*|\[\]|map\[[\w.]+\]", go_type)
        if head and go_type != "[]byte":
            return {"*": "*", "[]": "["}.get(head[0], "{") + self.code(go_type[head.end() :])
        if go_type in self.internal.structs:
            self.struct(go_type)
            return f"@{go_type}"
        if go_type in self.internal.aliases:
            return self.code(self.internal.aliases[go_type])
        return SCALARS.get(go_type, "j")


def read(folder: Path) -> str:
    return "\n".join(
        path.read_text()
        for path in sorted(folder.glob("*.go"))
        if not path.name.endswith("_test.go") and "generated" not in path.name
    )


def main() -> None:
    root, version = Path(sys.argv[1]).expanduser(), sys.argv[2]
    api, machinery = root / f"api@v{version}", root / f"apimachinery@v{version}"
    packages = {name: Package(name, read(api / name)) for name in GROUPS}
    packages["meta"] = Package("meta", read(machinery / "pkg/apis/meta/v1"))
    shapes = Shapes(packages)
    kinds: dict[str, str] = {}
    for name, group in GROUPS.items():
        package = packages[name]
        for kind, body in package.structs.items():
            if "metav1.TypeMeta" in body and not kind.endswith(("List", "Options")):
                shapes.struct(package, kind)
                version_name = name.split("/")[1]
                kinds[f"{group}/{version_name}/{kind}" if group else f"{version_name}/{kind}"] = f"{name}.{kind}"
    core = Package("core", read(root / f"kubernetes@v1.{version.partition('.')[2]}" / "pkg/apis/core"))
    internals = Internals(shapes, core, packages["core/v1"])
    for name in INTERNAL:
        internals.struct(name)
    used = {"types": shapes.out, "kinds": kinds, "named": shapes.named, "internal": internals.out}
    target = Path(__file__).parents[2] / "src/hansa/apiserver/builtin/shapes.json.gz"
    data = json.dumps(used, separators=(",", ":"), sort_keys=True).encode()
    target.write_bytes(gzip.compress(data, 9, mtime=0))
    print(f"{len(kinds)} kinds, {len(shapes.out)} types, {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
