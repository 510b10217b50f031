"""What the server owns in an object: status apart from spec, and the generation that counts changes of intent."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from hansa.api.meta import Json
from hansa.apiserver.builtin.rules import WriteContext


def create_with_status(empty: Json | None = None, *, generation: bool = True) -> Callable[[Json, WriteContext], None]:
    """Creation drops the status (or sets the `empty` one; None: removes the field)."""

    def prepare(obj: Json, context: WriteContext) -> None:
        del context
        if empty is None:
            obj.pop("status", None)
        else:
            obj["status"] = dict(empty)
        if generation:
            obj["metadata"]["generation"] = 1

    return prepare


def update_with_status(
    *, spec: Iterable[str] = ("spec",), annotations: bool = False, generation: bool = True, keep_meta: bool = False
) -> Callable[[Json, Json, str], None]:
    """Updates of the main endpoint keep the old status, those of `/status` keep everything else.

    The generation grows when one of the `spec` fields changes (for Deployments: also an annotation). `keep_meta`: a
    status update keeps labels and owner references too, for the kinds that do so.
    """
    fields = tuple(spec)

    def prepare(new: Json, old: Json, subresource: str) -> None:
        if subresource == "status":
            for field in fields:
                if field in old:
                    new[field] = old[field]
                else:
                    new.pop(field, None)
            if keep_meta:
                keep_labels(new, old)
            keep_generation(new, old)
            return
        if "status" in old:
            new["status"] = old["status"]
        else:
            new.pop("status", None)
        if not generation:
            return
        keep_generation(new, old)
        changed = any(new.get(field) != old.get(field) for field in fields)
        if annotations and not changed:
            changed = (new["metadata"].get("annotations") or {}) != (old["metadata"].get("annotations") or {})
        if changed:
            bump(new, old)

    return prepare


def update_counted(fields: Iterable[str]) -> Callable[[Json, Json, str], None]:
    """For kinds without status that count changes of these top-level fields."""
    counted = tuple(fields)

    def prepare(new: Json, old: Json, subresource: str) -> None:
        del subresource
        keep_generation(new, old)
        if any(new.get(field) != old.get(field) for field in counted):
            bump(new, old)

    return prepare


def bump(new: Json, old: Json) -> None:
    new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1


def keep_generation(new: Json, old: Json) -> None:
    """Clients cannot set the generation."""
    if "generation" in old["metadata"]:
        new["metadata"]["generation"] = old["metadata"]["generation"]
    else:
        new["metadata"].pop("generation", None)


def keep_labels(new: Json, old: Json) -> None:
    """A status update leaves labels alone."""
    for field in ("labels",):
        if field in old["metadata"]:
            new["metadata"][field] = old["metadata"][field]
        else:
            new["metadata"].pop(field, None)


def create_counted(obj: Json, context: WriteContext) -> None:
    """Creation of a kind without status that has a generation."""
    del context
    obj["metadata"]["generation"] = 1
