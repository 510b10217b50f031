"""Distil Kubernetes' protobuf messages into `src/hansa/apiserver/protobuf.json.gz`: field numbers, JSON names, types.

    python tools/distil/proto_fields.py ~/go/pkg/mod/k8s.io 0.37.2

Numbers and types are those of the `.proto` files, JSON names those of the Go struct tags: they differ for a few fields.
The format is described in `apiserver/protobuf.py`.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from pathlib import Path
from typing import Any

MESSAGE = re.compile(r"^message (\w+) \{(.*?)^\}", re.M | re.S)
FIELD = re.compile(r"^\s*(?:(optional|repeated|required)\s+)?(map<string, ([\w.]+)>|[\w.]+) (\w+) = (\d+)", re.M)
STRUCT = re.compile(r"^type (\w+) struct \{(.*?)^\}", re.M | re.S)
TAG = re.compile(r'^\s*(?:\w+\s+)?(\*?)[*\w.\[\]]+\s+`json:"([^"]*)" protobuf:"\w+,(\d+),', re.M)
SCALARS = {"string": "s", "bool": "b", "bytes": "B", "double": "f", "int32": "i", "int64": "i", "uint32": "i"}
SPECIAL = {
    "k8s.io.apimachinery.pkg.apis.meta.v1.Time": "t",
    "k8s.io.apimachinery.pkg.apis.meta.v1.MicroTime": "u",
    "k8s.io.apimachinery.pkg.apis.meta.v1.Duration": "d",
    "k8s.io.apimachinery.pkg.apis.meta.v1.FieldsV1": "R",
    "k8s.io.apimachinery.pkg.api.resource.Quantity": "q",
    "k8s.io.apimachinery.pkg.util.intstr.IntOrString": "x",
    "k8s.io.apimachinery.pkg.runtime.RawExtension": "R",
    "k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1.JSON": "R",
    "k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray": "1",
    "k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool": "2",
    "k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray": "3",
}
UNWRAPPED = {"ExtraValue"}


def code_of(proto_type: str, package: str) -> str:
    if proto_type in SCALARS:
        return SCALARS[proto_type]
    full = proto_type.lstrip(".") if "." in proto_type else f"{package}.{proto_type}"
    if full.rpartition(".")[2] in UNWRAPPED:
        return "I"
    return SPECIAL.get(full, "@" + full)


def tags_of(folder: Path) -> dict[str, dict[int, tuple[bool, str]]]:
    """Struct -> field number -> (it is a pointer, json tag)."""
    text = "\n".join(path.read_text() for path in sorted(folder.glob("*.go")) if not path.name.endswith("_test.go"))
    return {
        match[1]: {int(number): (bool(star), tag) for star, tag, number in TAG.findall(match[2])}
        for match in STRUCT.finditer(text)
    }


def messages(proto: Path, package: str) -> dict[str, Any]:
    tags = tags_of(proto.parent)
    found: dict[str, Any] = {}
    for match in MESSAGE.finditer(proto.read_text()):
        fields: dict[str, Any] = {}
        for label, proto_type, map_value, name, number in FIELD.findall(match[2]):
            pointer, tag = tags.get(match[1], {}).get(int(number), (False, name))
            json_name, *options = tag.split(",")
            if json_name == "-":
                continue
            flags = "p" if pointer else ""
            flags += "o" if "omitempty" in options or "omitzero" in options else ""
            if map_value:
                flags += "m"
            elif label == "repeated":
                flags += "r"
            if not json_name:
                flags += "n"
            fields[number] = [json_name or name, code_of(map_value or proto_type, package), flags]
        found[f"{package}.{match[1]}"] = fields
    return found


def main() -> None:
    root, version = Path(sys.argv[1]).expanduser(), sys.argv[2]
    sources = sorted((root / f"api@v{version}").glob("*/v*/generated.proto"))
    sources += [root / f"apimachinery@v{version}/pkg/apis/meta/v1/generated.proto"]
    sources += [root / f"apiextensions-apiserver@v{version}/pkg/apis/apiextensions/v1/generated.proto"]
    out: dict[str, Any] = {}
    for source in sources:
        package = re.search(r"^package ([\w.]+);", source.read_text(), re.M)
        assert package is not None, source
        if re.search(r"\.v\d+$", package[1]):
            out |= messages(source, package[1])
    target = Path(__file__).parents[2] / "src/hansa/apiserver/protobuf.json.gz"
    target.write_bytes(gzip.compress(json.dumps(out, separators=(",", ":"), sort_keys=True).encode(), 9, mtime=0))
    print(f"{len(out)} messages, {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
