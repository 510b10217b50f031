"""batch/v1 Job."""

from __future__ import annotations

from datetime import datetime

from hansa.api.meta import GVK, Json
from hansa.apiserver.builtin.cells import human_duration
from hansa.apiserver.builtin.checks import MAX_INT32, immutable, label_selector, nonnegative, supported
from hansa.apiserver.builtin.fallback import CREATED, NAME
from hansa.apiserver.builtin.generation import update_with_status
from hansa.apiserver.builtin.internal import unchanged
from hansa.apiserver.builtin.kind import column, make, timed
from hansa.apiserver.builtin.pod_checks import validate_template
from hansa.apiserver.builtin.pod_defaults import default_template
from hansa.apiserver.builtin.rules import WriteContext
from hansa.apiserver.builtin.selectors import selects
from hansa.apiserver.builtin.workload import status_of, template_columns
from hansa.base.clock import parse_rfc3339
from hansa.base.field import FieldError, invalid, not_supported, required

_COUNTS = (
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
    "backoffLimitPerIndex",
    "maxFailedIndexes",
)
_NAME_LABELS = ("job-name", "batch.kubernetes.io/job-name")
_UID_LABELS = ("controller-uid", "batch.kubernetes.io/controller-uid")
_MAX_PARALLEL_INDEXED = 100_000
_SHOWN = ("Complete", "Failed", "Suspended", "FailureTarget", "SuccessCriteriaMet")


def default_job_spec(spec: Json) -> None:
    """Defaults of a Job's template (as it stands in a CronJob)."""
    default_template(spec["template"])
    for rule in (spec.get("podFailurePolicy") or {}).get("rules") or ():
        for pattern in rule.get("onPodConditions") or ():
            pattern.setdefault("status", "True")


def _default(job: Json) -> None:
    spec = job["spec"]
    if "parallelism" not in spec:
        if "completions" not in spec:
            spec["completions"] = 1
        spec["parallelism"] = 1
    if "backoffLimit" not in spec:
        spec["backoffLimit"] = MAX_INT32 if "backoffLimitPerIndex" in spec else 6
    labels = (spec["template"].get("metadata") or {}).get("labels")
    if labels and not job["metadata"].get("labels"):
        job["metadata"]["labels"] = dict(labels)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    if "podReplacementPolicy" not in spec:
        spec["podReplacementPolicy"] = "Failed" if "podFailurePolicy" in spec else "TerminatingOrFailed"
    spec.setdefault("manualSelector", False)
    default_job_spec(spec)


def _prepare_create(job: Json, context: WriteContext) -> None:
    del context
    spec, meta = job["spec"], job["metadata"]
    job["status"] = {}
    meta["generation"] = 1
    if spec.get("manualSelector"):
        return
    template_meta: Json = spec["template"].setdefault("metadata", {})
    labels: Json = dict(template_meta.get("labels") or {})
    template_meta["labels"] = labels
    for key in _NAME_LABELS:
        labels.setdefault(key, meta.get("name", ""))
    for key in _UID_LABELS:
        labels.setdefault(key, meta.get("uid", ""))
    if not meta.get("labels"):
        meta["labels"] = dict(labels)  # a job without labels of its own has its template's
    selector: Json = spec.setdefault("selector", {})
    selector.setdefault("matchLabels", {}).setdefault(_UID_LABELS[1], meta.get("uid", ""))


def job_spec_checks(spec: Json, path: str) -> list[FieldError]:
    """Checks that Jobs and the templates in CronJobs share."""
    errors: list[FieldError] = []
    for field in _COUNTS:
        errors += nonnegative(spec.get(field), f"{path}.{field}")
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        errors.append(required(f"{path}.backoffLimitPerIndex", "when maxFailedIndexes is specified"))
    mode = spec.get("completionMode")
    if mode is not None:
        errors += supported(mode, ("NonIndexed", "Indexed"), f"{path}.completionMode")
    if mode == "Indexed":
        if spec.get("completions") is None:
            errors.append(required(f"{path}.completions", "when completion mode is Indexed"))
        if (spec.get("parallelism") or 0) > _MAX_PARALLEL_INDEXED:
            text = f"must be less than or equal to {_MAX_PARALLEL_INDEXED} when completion mode is Indexed"
            errors.append(invalid(f"{path}.parallelism", spec["parallelism"], text))
    else:
        for field in ("backoffLimitPerIndex", "maxFailedIndexes"):
            if spec.get(field) is not None:
                errors.append(invalid(f"{path}.{field}", spec[field], "requires indexed completion mode"))
        if spec.get("successPolicy") is not None:
            errors.append(invalid(f"{path}.successPolicy", spec["successPolicy"], "requires indexed completion mode"))
    errors += _replacement(spec, f"{path}.podReplacementPolicy")
    errors += validate_template(spec["template"], f"{path}.template")
    return errors + _restart_policy(spec, f"{path}.template.spec.restartPolicy")


def _replacement(spec: Json, path: str) -> list[FieldError]:
    policy = spec.get("podReplacementPolicy")
    if policy is None:
        return []
    if spec.get("podFailurePolicy") is not None:
        return supported(policy, ("Failed",), path)
    return supported(policy, ("Failed", "TerminatingOrFailed"), path)


def _restart_policy(spec: Json, path: str) -> list[FieldError]:
    policy = spec["template"]["spec"].get("restartPolicy", "")
    if policy in ("Always", ""):
        return [required(path, 'valid values: "OnFailure", "Never"')]
    if policy not in ("OnFailure", "Never"):
        return [not_supported(path, policy, ["OnFailure", "Never"])]
    if spec.get("podFailurePolicy") is not None and policy != "Never":
        return [invalid(path, policy, 'only "Never" is supported when podFailurePolicy is specified')]
    return []


def _spec_checks(job: Json) -> list[FieldError]:
    spec = job["spec"]
    errors = job_spec_checks(spec, "spec")
    selector = spec.get("selector")
    labels = (spec["template"].get("metadata") or {}).get("labels")
    if selector is None:
        errors.append(required("spec.selector"))
    else:
        errors += label_selector(selector, "spec.selector")
    if not selects(selector, labels):
        text = "`selector` does not match template `labels`"
        errors.append(invalid("spec.template.metadata.labels", labels, text))
    return errors


def _checks(job: Json) -> list[FieldError]:
    spec = job["spec"]
    errors: list[FieldError] = []
    name = job["metadata"].get("name", "")
    if not spec.get("manualSelector"):
        errors += _generated_selector(job)
    errors += _spec_checks(job)
    if spec.get("completionMode") == "Indexed" and spec.get("completions"):
        host = f"{name}-{spec['completions'] - 1}"
        if len(host) > 63:
            text = f"will not able to create pod with invalid DNS hostname: {host}: must be no more than 63 characters"
            errors.append(invalid("metadata.name", name, text))
    return errors


def _generated_selector(job: Json) -> list[FieldError]:
    spec, meta = job["spec"], job["metadata"]
    selected = ((spec.get("selector") or {}).get("matchLabels") or {}).get(_UID_LABELS[1])
    labels = (spec["template"].get("metadata") or {}).get("labels") or {}
    errors: list[FieldError] = []
    if selected != meta.get("uid", "") and spec.get("selector") is not None:
        errors.append(invalid("spec.selector", spec["selector"], "`selector` not auto-generated"))
    for key, value in ((_UID_LABELS[1], meta.get("uid", "")), (_NAME_LABELS[1], meta.get("name", ""))):
        path = f"spec.template.metadata.labels[{key}]"
        if key not in labels:
            errors.append(required("spec.template.metadata.labels", f"must be '{value}'"))
        elif labels[key] != value:
            errors.append(invalid(path, labels[key], f"must be '{value}'"))
    return errors


def _update(new: Json, old: Json) -> list[FieldError]:
    spec, before = new["spec"], old["spec"]
    errors = _spec_checks(new)
    if spec.get("completionMode") != "Indexed":
        errors += immutable(spec.get("completions"), before.get("completions"), "spec.completions")
    elif spec.get("completions") not in (before.get("completions"), None, spec.get("parallelism")):
        text = "can only be modified in tandem with spec.parallelism"
        errors.append(invalid("spec.completions", spec["completions"], text))
    errors += immutable(spec.get("selector"), before.get("selector"), "spec.selector")
    errors += _template_changes(new, old)
    for field in ("completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"):
        errors += immutable(spec.get(field), before.get(field), f"spec.{field}")
    return errors


_PLACING = frozenset(("nodeSelector", "tolerations", "schedulingGates", "affinity"))


def _template_changes(new: Json, old: Json) -> list[FieldError]:
    """The template stays; a suspended job that has not started may still change where and with what it will run."""
    status: Json = old.get("status") or {}
    template, before = new["spec"]["template"], old["spec"]["template"]
    if not old["spec"].get("suspend") or status.get("startTime"):
        return unchanged("PodTemplateSpec", template, before, "spec.template")
    spec, was = _fixed(template["spec"]), _fixed(before["spec"])
    return [] if spec == was else unchanged("PodSpec", template["spec"], was, "spec.template.spec")


def _fixed(spec: Json) -> Json:
    """What of a template's spec cannot change while a job waits."""
    fixed = {field: value for field, value in spec.items() if field not in _PLACING}
    fixed["affinity"] = {kind: one for kind, one in (spec.get("affinity") or {}).items() if kind != "nodeAffinity"}
    for field in ("containers", "initContainers"):
        fixed[field] = [{**container, "resources": None} for container in spec.get(field) or ()]
    return fixed


def _status_checks(new: Json, old: Json) -> list[FieldError]:
    del old
    errors: list[FieldError] = []
    for field in ("active", "succeeded", "failed", "ready", "terminating"):
        errors += nonnegative((new.get("status") or {}).get(field), f"status.{field}")
    return errors


def _completions(job: Json) -> str:
    spec, succeeded = job["spec"], status_of(job, "succeeded")
    if spec.get("completions") is not None:
        return f"{succeeded}/{spec['completions']}"
    parallelism = spec.get("parallelism") or 0
    return f"{succeeded}/1 of {parallelism}" if parallelism > 1 else f"{succeeded}/1"


def _duration(job: Json, now: datetime) -> str:
    status: Json = job.get("status") or {}
    start, end = status.get("startTime"), status.get("completionTime")
    if not start:
        return ""
    finish = parse_rfc3339(end) if end else now
    return human_duration((finish - parse_rfc3339(start)).total_seconds())


def _status(job: Json) -> str:
    true = {c.get("type") for c in (job.get("status") or {}).get("conditions") or () if c.get("status") == "True"}
    for condition in _SHOWN:
        if condition == "Suspended" and job["metadata"].get("deletionTimestamp"):
            return "Terminating"
        if condition in true:
            return condition
    return "Running"


_GVK = GVK("batch", "v1", "Job")
RULES = {
    _GVK: make(
        _GVK,
        defaults=_default,
        checks=_checks,
        recheck=False,
        update_checks=_update,
        status_checks=_status_checks,
        status=True,
        counted=("spec",),
        columns=(
            NAME,
            column("Status", _status),
            column("Completions", _completions),
            timed("Duration", _duration),
            CREATED,
            *template_columns(),
        ),
        fields={"status.successful": lambda o: str(status_of(o, "succeeded"))},
        prepare_create=_prepare_create,
        prepare_update=update_with_status(),
        orphan_by_default=True,
    )
}
