"""core/v1 Pod and PodTemplate."""

from __future__ import annotations

from typing import Any

from hansa.api.meta import GVK, Json
from hansa.apiserver.builtin import pod_table
from hansa.apiserver.builtin.cells import images_of, labels_text, names_of, template_containers
from hansa.apiserver.builtin.checks import MAX_INT32, nonnegative
from hansa.apiserver.builtin.fallback import NAME
from hansa.apiserver.builtin.generation import bump, keep_generation
from hansa.apiserver.builtin.internal import difference
from hansa.apiserver.builtin.kind import column, make
from hansa.apiserver.builtin.objectmeta import subdomain_name, validate_meta, validate_meta_update
from hansa.apiserver.builtin.pod_checks import image_whitespace, validate_pod_spec, validate_template
from hansa.apiserver.builtin.pod_defaults import default_pod, default_template
from hansa.apiserver.builtin.resource_checks import quantity
from hansa.apiserver.builtin.rules import WriteContext
from hansa.base.clock import rfc3339
from hansa.base.field import FieldError, forbidden, invalid, required

_CHANGEABLE = (
    "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
    "`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def qos_class(spec: Json) -> str:
    """Guaranteed, Burstable or BestEffort, by the cpu and memory of all containers."""
    requests: dict[str, Any] = {}
    limits: dict[str, Any] = {}
    guaranteed = True
    zero = quantity("0")
    for container in (*(spec.get("containers") or ()), *spec.get("initContainers", ())):
        resources = container.get("resources") or {}
        found: set[str] = set()
        for side, totals in (("requests", requests), ("limits", limits)):
            for name, value in (resources.get(side) or {}).items():
                if name not in ("cpu", "memory") or quantity(value) <= zero:
                    continue
                totals[name] = totals[name] + quantity(value) if name in totals else quantity(value)
                if side == "limits":
                    found.add(name)
        if found != {"cpu", "memory"}:
            guaranteed = False
    if not requests and not limits:
        return "BestEffort"
    alike = len(requests) == len(limits) and all(limits.get(name) == total for name, total in requests.items())
    if guaranteed and alike:
        return "Guaranteed"
    return "Burstable"


def _prepare_create(pod: Json, context: WriteContext) -> None:
    pod["metadata"]["generation"] = 1
    status: Json = {"phase": "Pending", "qosClass": qos_class(pod["spec"])}
    pod["status"] = status
    if pod["spec"].get("schedulingGates"):
        status["conditions"] = [
            {
                "type": "PodScheduled",
                "status": "False",
                "lastProbeTime": None,
                "lastTransitionTime": rfc3339(context.now),
                "reason": "SchedulingGated",
                "message": "Scheduling is blocked due to non-empty scheduling gates",
            }
        ]


def _prepare_update(new: Json, old: Json, subresource: str) -> None:
    keep_generation(new, old)
    if subresource == "status":
        new["spec"] = old["spec"]
        new["metadata"].pop("deletionTimestamp", None)
        for field in ("deletionTimestamp", "ownerReferences"):
            if field in old["metadata"]:
                new["metadata"][field] = old["metadata"][field]
            else:
                new["metadata"].pop(field, None)
        status: Json = new.setdefault("status", {})
        if "qosClass" not in status and "qosClass" in (old.get("status") or {}):
            status["qosClass"] = old["status"]["qosClass"]
        return
    if "status" in old:
        new["status"] = old["status"]
    else:
        new.pop("status", None)
    if new["spec"] != old["spec"]:
        bump(new, old)


def _checks(pod: Json) -> list[FieldError]:
    spec = pod["spec"]
    errors = validate_pod_spec(spec, "spec", pod_name=pod["metadata"].get("name", ""), is_pod=True)
    if not spec.get("serviceAccountName"):
        for index, volume in enumerate(spec.get("volumes", ())):
            for at, source in enumerate((volume.get("projected") or {}).get("sources") or ()):
                if "serviceAccountToken" in source:
                    path = f"spec.volumes[{index}].projected.sources[{at}].serviceAccountToken"
                    errors.append(forbidden(path, "must not be specified when serviceAccountName is not set"))
    errors += nonnegative(spec.get("terminationGracePeriodSeconds"), "spec.terminationGracePeriodSeconds")
    errors += image_whitespace(spec.get("containers") or [], "spec.containers")
    return errors + image_whitespace(spec.get("initContainers") or [], "spec.initContainers")


def _create(pod: Json) -> list[FieldError]:
    errors = validate_meta(pod, namespaced=True, name=subdomain_name) + _checks(pod)
    spec = pod["spec"]
    if spec.get("ephemeralContainers"):
        errors.append(forbidden("spec.ephemeralContainers", "cannot be set on create"))
    if spec.get("nodeName") and spec.get("schedulingGates"):
        errors.append(forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared"))
    return errors


def _update(new: Json, old: Json, subresource: str) -> list[FieldError]:
    errors = validate_meta_update(new, old)
    if subresource:
        return errors
    errors += validate_meta(new, namespaced=True, name=subdomain_name) + _checks(new)
    spec, before = new["spec"], old["spec"]
    for field in ("containers", "initContainers"):
        faults, stop = _same_containers(spec.get(field) or [], before.get(field) or [], f"spec.{field}")
        errors += faults
        if stop:
            return errors
    faults, stop = _deadline(spec.get("activeDeadlineSeconds"), before.get("activeDeadlineSeconds"))
    errors += faults
    if stop:
        return errors
    errors += _tolerations(spec.get("tolerations") or [], before.get("tolerations") or [])
    errors += _gates(spec.get("schedulingGates") or [], before.get("schedulingGates") or [])
    munged = _munged(spec, before)
    if munged != before:
        changes = difference("PodSpec", before, munged)
        errors.append(forbidden("spec", f"pod updates may not change fields other than {_CHANGEABLE}\n{changes}"))
    return errors


def _same_containers(new: list[Json], old: list[Json], path: str) -> tuple[list[FieldError], bool]:
    if len(new) != len(old):
        return [forbidden(path, "pod updates may not add or remove containers")], True
    errors: list[FieldError] = []
    for index, container in enumerate(new):
        image = container.get("image", "")
        if not image:
            errors.append(required(f"{path}[{index}].image"))
        if image != image.strip():
            errors.append(invalid(f"{path}[{index}].image", image, "must not have leading or trailing whitespace"))
    return errors, False


def _deadline(new: int | None, old: int | None) -> tuple[list[FieldError], bool]:
    path = "spec.activeDeadlineSeconds"
    if new is None:
        if old is None:
            return [], False
        return [invalid(path, None, "must not update from a positive integer to nil value")], False
    if not 0 <= new <= MAX_INT32:
        return [invalid(path, new, "must be between 0 and 2147483647, inclusive")], True
    if old is not None and old < new:
        return [invalid(path, new, "must be less than or equal to previous value")], True
    return [], False


def _tolerations(new: list[Json], old: list[Json]) -> list[FieldError]:
    def bare(toleration: Json) -> Json:
        return {key: value for key, value in toleration.items() if key != "tolerationSeconds"}

    kept = [bare(toleration) for toleration in new]
    if all(bare(toleration) in kept for toleration in old):
        return []
    return [forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds")]


def _gates(new: list[Json], old: list[Json]) -> list[FieldError]:
    known = {gate.get("name") for gate in old}
    return [
        forbidden(
            f"spec.schedulingGates[{index}].name",
            f"only deletion is allowed, but found new scheduling gate '{gate.get('name', '')}'",
        )
        for index, gate in enumerate(new)
        if gate.get("name") not in known
    ]


def _munged(spec: Json, before: Json) -> Json:
    """The new spec with everything that may change put back."""
    munged = dict(spec)
    for field in ("containers", "initContainers"):
        if field in spec:
            munged[field] = [
                {**container, "image": old.get("image", "")}
                for container, old in zip(spec[field], before.get(field) or [], strict=False)
            ]
    fields = ["activeDeadlineSeconds", "schedulingGates", "tolerations"]
    if before.get("terminationGracePeriodSeconds", 0) < 0 and spec.get("terminationGracePeriodSeconds") == 1:
        fields.append("terminationGracePeriodSeconds")
    if before.get("schedulingGates"):
        fields += ["nodeSelector", "affinity"]
    for field in fields:
        if field in before:
            munged[field] = before[field]
        else:
            munged.pop(field, None)
    return munged


def grace_seconds(pod: Json, asked: int | None) -> int:
    """How long a delete leaves the pod: as asked, else by its spec; none where nothing runs (unscheduled, finished)."""
    seconds = asked
    if seconds is None:
        seconds = (pod.get("spec") or {}).get("terminationGracePeriodSeconds", 30)
    if seconds is None:
        seconds = 0
    status: Json = pod.get("status") or {}
    if not (pod.get("spec") or {}).get("nodeName") or status.get("phase") in ("Failed", "Succeeded"):
        return 0
    return max(1, seconds) if seconds < 0 else seconds


def _default_template(obj: Json) -> None:
    default_template(obj.get("template"))


_POD = GVK("", "v1", "Pod")
_TEMPLATE = GVK("", "v1", "PodTemplate")
RULES = {
    _POD: make(
        _POD,
        defaults=default_pod,
        status=True,
        columns=pod_table.COLUMNS,
        fields={
            "spec.nodeName": lambda o: o["spec"].get("nodeName", ""),
            "spec.restartPolicy": lambda o: o["spec"].get("restartPolicy", ""),
            "spec.schedulerName": lambda o: o["spec"].get("schedulerName", ""),
            "spec.serviceAccountName": lambda o: o["spec"].get("serviceAccountName", ""),
            "spec.hostNetwork": lambda o: "true" if o["spec"].get("hostNetwork") else "false",
            "status.phase": lambda o: (o.get("status") or {}).get("phase", ""),
            "status.podIP": lambda o: (o.get("status") or {}).get("podIP", ""),
            "status.podIPs": lambda o: (o.get("status") or {}).get("podIP", ""),
            "status.nominatedNodeName": lambda o: (o.get("status") or {}).get("nominatedNodeName", ""),
        },
        prepare_create=_prepare_create,
        prepare_update=_prepare_update,
        validate_create=_create,
        validate_update=_update,
        graceful=grace_seconds,
    ),
    _TEMPLATE: make(
        _TEMPLATE,
        defaults=_default_template,
        checks=lambda o: validate_template(o.get("template") or {}, "template"),
        counted=("template",),
        columns=(
            NAME,
            column("Containers", lambda o: names_of(template_containers(o.get("template")))),
            column("Images", lambda o: images_of(template_containers(o.get("template")))),
            column(
                "Pod Labels", lambda o: labels_text(((o.get("template") or {}).get("metadata") or {}).get("labels"))
            ),
        ),
    ),
}
