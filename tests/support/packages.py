"""Python packages that are installed for one test, with entry points."""

from __future__ import annotations

import re
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

_GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "scheduler-plugins.md"
MODULE = "payments.placement"


@contextmanager
def installed(folder: Path, monkeypatch: pytest.MonkeyPatch, code: str, points: str) -> Generator[None, None, None]:
    """A package with the code as MODULE and the entry points, as a pyproject.toml has them."""
    package, module = MODULE.split(".")
    (folder / package).mkdir()
    (folder / package / "__init__.py").touch()
    (folder / package / f"{module}.py").write_text(code)
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = points.replace('[project.entry-points."', "[").replace('"]', "]").replace('"', "")
    (info / "entry_points.txt").write_text(lines)
    with monkeypatch.context() as patched:
        patched.syspath_prepend(str(folder))
        try:
            yield
        finally:
            for name in [name for name in sys.modules if name.split(".")[0] == package]:
                del sys.modules[name]


def of_the_guide(language: str) -> str:
    """What the guide to plug-ins shows in a language."""
    return "\n".join(re.findall(rf"```{language}\n(.*?)```", _GUIDE.read_text(), re.S))
