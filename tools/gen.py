"""Generate what is committed: `python tools/gen.py crds [--check]` writes (or compares) deploy/crds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

from hansa.api.crd import all_crds
from hansa.dialect.kubefed.types import DEFAULT_TYPES, enablements

DIRECTORY = Path(__file__).parent.parent / "deploy" / "crds"


def documents() -> dict[str, str]:
    """File name -> content of every CustomResourceDefinition that `hansa init` installs."""
    definitions: list[Any] = [*all_crds(), *(enablement.crd for enablement in enablements(DEFAULT_TYPES))]
    return {f"{crd['metadata']['name']}.yaml": yaml.safe_dump(crd, sort_keys=False, width=120) for crd in definitions}


def main(arguments: list[str]) -> int:
    if arguments[:1] != ["crds"]:
        print(__doc__, file=sys.stderr)
        return 2
    wanted = documents()
    present = {path.name: path.read_text() for path in DIRECTORY.glob("*.yaml")}
    if "--check" in arguments:
        stale = sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))
        if stale:
            print(f"deploy/crds is not what the types say; run `make gen`: {', '.join(stale)}", file=sys.stderr)
        return 1 if stale else 0
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    for name in present.keys() - wanted.keys():
        (DIRECTORY / name).unlink()
    for name, content in wanted.items():
        (DIRECTORY / name).write_text(content)
    print(f"{len(wanted)} definitions in deploy/crds")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
