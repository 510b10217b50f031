"""Generate what is committed, from the sources: `python tools/gen.py crds|docs|commands [--check]`.

`crds` writes deploy/crds, one CustomResourceDefinition a file; `docs` writes docs/reference/fields.md, `commands`
docs/reference/commands.md. With `--check` nothing is written: the exit code is 1 if what is committed differs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import yaml

import commands
import fields
from hansa.api.crd import all_crds
from hansa.dialect.kubefed.types import DEFAULT_TYPES, enablements

ROOT = Path(__file__).parent.parent


class _Plain(yaml.SafeDumper):
    """YAML without anchors: each schema stands where it is used."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def crds() -> dict[str, str]:
    """File name -> content for every CustomResourceDefinition that `hansa init` installs."""
    definitions = [*all_crds(), *(enablement.crd for enablement in enablements(DEFAULT_TYPES))]
    return {
        f"{crd['metadata']['name']}.yaml": yaml.dump(crd, Dumper=_Plain, sort_keys=True, width=120)
        for crd in definitions
    }


def docs() -> dict[str, str]:
    return {"fields.md": fields.document()}


class Target(NamedTuple):
    """What one subcommand makes. `pattern`: the files in the folder that are its own."""

    make: Callable[[], dict[str, str]]
    folder: Path
    pattern: str


TARGETS = {
    "crds": Target(crds, ROOT / "deploy" / "crds", "*.yaml"),
    "docs": Target(docs, ROOT / "docs" / "reference", "fields.md"),
    "commands": Target(lambda: {"commands.md": commands.document()}, ROOT / "docs" / "reference", "commands.md"),
}


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] not in TARGETS:
        print(__doc__, file=sys.stderr)
        return 2
    target = TARGETS[arguments[0]]
    wanted = target.make()
    present = {path.name: path.read_text() for path in target.folder.glob(target.pattern)}
    if "--check" in arguments:
        stale = sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))
        if stale:
            print(f"run `make gen`; not what the types say: {', '.join(stale)}", file=sys.stderr)
        return 1 if stale else 0
    target.folder.mkdir(parents=True, exist_ok=True)
    for name in present.keys() - wanted.keys():
        (target.folder / name).unlink()
    for name, content in wanted.items():
        (target.folder / name).write_text(content)
    print(f"{len(wanted)} files in {target.folder.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
