"""What differs between dialects after the binding: one frozen value of pure functions for each.

A binding names its convention with the label `hansa.dev/dialect` (absent: Karmada); the label is copied to its Works,
so that rendering, execution and observation all follow the same one. The steps that call it:

- render: `body`, then replicas, completions, policies' overrides, `overrides`, then `mark`; the Work carries the
  manifest, `work_labels` and `work_annotations`;
- execute: what is not there is created; what is there must satisfy `owns` or `may_adopt`, else `refusal`; then
  `retain`, the interpreter's retention, and a PUT unless `equal`;
- delete: `on_delete` says `Delete`, `Release` (a PUT of `release`) or `Leave`;
- observe: `owns`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from hansa.api import names
from hansa.api.meta import Json, Key, ObjectMeta


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a Work comes from.

    `binding` is None for Works that no binding stands behind (propagated namespaces). `conflict_resolution` is what the
    binding or the template asks for when the member has the object already.
    """

    template: ObjectMeta
    binding: ObjectMeta | None
    work: Key
    work_id: str
    conflict_resolution: Literal["abort", "overwrite"] = "abort"


class Delete(NamedTuple):
    """Delete the member's object; `options` are members of meta.k8s.io/v1 DeleteOptions."""

    propagation: str | None = None
    grace_seconds: int | None = None
    preconditions: Mapping[str, str] = {}


class Release(NamedTuple):
    """Leave the object in the member and take our marks off."""


class Leave(NamedTuple):
    """It is not ours: do not touch it."""


Deletion = Delete | Release | Leave


@dataclass(frozen=True, slots=True)
class Convention:
    """One dialect's answers. Functions never change their arguments; `Json` results are new documents."""

    name: str
    """Value of the label `hansa.dev/dialect`."""

    body: Callable[[Json, ObjectMeta | None, str], Json]
    """(hub object, binding, cluster) → the object before replicas and overrides. Raises InterpretError."""

    overrides: Callable[[Json, str], Sequence[Json]]
    """(hub object, cluster) → JSON patch that the object itself orders for the cluster. Raises InterpretError."""

    patch_missing: Literal["error", "add"]
    """What `replace` of a missing member does in `overrides`."""

    override_policies: bool
    """Whether OverridePolicies and ClusterOverridePolicies apply."""

    interpreted: bool
    """Whether the interpreter revises replicas in rendering and retains fields in execution."""

    work_kind: Callable[[str], str]
    """(kind of the manifest) → the kind that the Work's name is made from."""

    work_of: Callable[[ObjectMeta, str, str], Key | None]
    """(live object, its kind, cluster) → where its Work is, None when it bears no mark that leads to one."""

    work_labels: Callable[[Json, Origin], dict[str, str]]
    """(hub object, origin) → labels of the Work, all but the dialect's and the Work's own id."""

    work_annotations: Callable[[Json, Origin], dict[str, str]]
    """(hub object, origin) → annotations of the Work."""

    mark: Callable[[Json, Origin], Json]
    """(manifest, origin) → the finished manifest: what is not to be propagated left out, ownership marks put on."""

    owns: Callable[[ObjectMeta], bool]
    """Does this member object bear our marks?"""

    may_adopt: Callable[[Json, ObjectMeta, ObjectMeta], bool]
    """(manifest, live object, Work) → may an object without our marks become ours?"""

    refusal: Callable[[Json, ObjectMeta, str], str]
    """(manifest, live object, cluster) → the message when neither `owns` nor `may_adopt` holds."""

    retain: Callable[[Json, Json, ObjectMeta], Json]
    """(manifest, live object, Work) → the object to write, with what is the member's own kept."""

    equal: Callable[[Json, Json], bool]
    """(object to write, live object) → is there nothing to write?"""

    release: Callable[[Json, ObjectMeta], Json]
    """(live object, Work) → the object to write, without our marks."""

    on_delete: Callable[[ObjectMeta, bool, ObjectMeta], Deletion]
    """(Work, its preserveResourcesOnDeletion, live object) → what to do in the member."""


def dialect_of(labels: Mapping[str, str] | None) -> str:
    """Name of the convention that a binding or Work follows."""
    return (labels or {}).get(names.DIALECT_LABEL) or names.KARMADA
