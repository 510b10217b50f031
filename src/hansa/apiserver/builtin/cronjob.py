"""batch/v1 CronJob."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hansa.api.meta import GVK, Json
from hansa.apiserver.builtin.cells import NONE, images_of, names_of, selector_text, since, template_containers
from hansa.apiserver.builtin.checks import nonnegative, one_of
from hansa.apiserver.builtin.fallback import CREATED, NAME
from hansa.apiserver.builtin.job import default_job_spec, job_spec_checks
from hansa.apiserver.builtin.kind import column, make, timed
from hansa.apiserver.builtin.objectmeta import subdomain_name, validate_meta
from hansa.base.field import FieldError, invalid, not_supported, required

_RANGES = (("minute", 0, 59), ("hour", 0, 23), ("day of month", 1, 31), ("month", 1, 12), ("day of week", 0, 6))
_MONTHS = {
    m: i + 1 for i, m in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"])
}
_DAYS = {d: i for i, d in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])}
_MACROS = frozenset(("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"))
_DURATION = re.compile(r"^([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+$")


def _default(obj: Json) -> None:
    spec = obj["spec"]
    spec.setdefault("concurrencyPolicy", "Allow")
    spec.setdefault("suspend", False)
    spec.setdefault("successfulJobsHistoryLimit", 3)
    spec.setdefault("failedJobsHistoryLimit", 1)
    default_job_spec(spec["jobTemplate"]["spec"])


def schedule_fault(schedule: str) -> str | None:
    """What is wrong with a cron schedule, in the words of Kubernetes' parser; None when nothing is."""
    text = schedule
    if text.startswith(("TZ=", "CRON_TZ=")):
        text = text.partition(" ")[2].strip()
    if text.startswith("@"):
        if text in _MACROS or (text.startswith("@every ") and _DURATION.match(text[7:])):
            return None
        return f"unrecognized descriptor: {text}"
    fields = text.split()
    if len(fields) != 5:
        shown = " ".join(fields)
        return f"expected exactly 5 fields, found {len(fields)}: [{shown}]"
    for field, (_, low, high) in zip(fields, _RANGES, strict=True):
        names = _MONTHS if high == 12 else _DAYS if high == 6 else {}
        for part in field.split(","):
            fault = _part_fault(part, low, high, names)
            if fault:
                return fault
    return None


def _part_fault(part: str, low: int, high: int, names: dict[str, int]) -> str | None:
    span, slash, step = part.partition("/")
    if "/" in step:
        return f"too many slashes: {part}"
    start_text, dash, end_text = span.partition("-")
    if start_text in ("*", "?"):
        start, end = low, high
    else:
        start = _number(start_text, names)
        end = _number(end_text, names) if dash else (high if slash else start)
        if start is None or end is None:
            bad = start_text if start is None else end_text
            return f'failed to parse int from {bad}: strconv.Atoi: parsing "{bad}": invalid syntax'
    if slash:
        every = _number(step, {})
        if every is None:
            return f'failed to parse int from {step}: strconv.Atoi: parsing "{step}": invalid syntax'
        if every == 0:
            return f"step of range should be a positive number: {part}"
    if start < low:
        return f"beginning of range ({start}) below minimum ({low}): {part}"
    if end > high:
        return f"end of range ({end}) above maximum ({high}): {part}"
    if start > end:
        return f"beginning of range ({start}) beyond end of range ({end}): {part}"
    return None


def _number(text: str, names: dict[str, int]) -> int | None:
    if text.lower() in names:
        return names[text.lower()]
    return int(text) if text.isdigit() else None


def _zone(zone: str | None) -> list[FieldError]:
    path = "spec.timeZone"
    if zone is None:
        return []
    if not zone:
        return [invalid(path, zone, "timeZone must be nil or non-empty string")]
    if any(
        not re.match(r"^[A-Za-z\.\-_0-9+]+$", part) or part in (".", "..") or part.startswith("-")
        for part in zone.split("/")
    ):
        return [invalid(path, zone, f"unknown time zone {zone}")]
    if zone.lower() == "local":
        text = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        return [invalid(path, zone, text)]
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return [invalid(path, zone, f"unknown time zone {zone}")]
    return []


def _checks(obj: Json) -> list[FieldError]:
    spec = obj["spec"]
    schedule = spec.get("schedule", "")
    errors: list[FieldError] = []
    if not schedule:
        errors.append(required("spec.schedule"))
    else:
        fault = schedule_fault(schedule)
        if fault:
            errors.append(invalid("spec.schedule", schedule, fault))
        if "TZ" in schedule:
            text = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
            errors.append(invalid("spec.schedule", schedule, text))
    errors += nonnegative(spec.get("startingDeadlineSeconds"), "spec.startingDeadlineSeconds")
    errors += _zone(spec.get("timeZone"))
    errors += one_of(spec.get("concurrencyPolicy", ""), ("Allow", "Forbid", "Replace"), "spec.concurrencyPolicy")
    template = spec["jobTemplate"]["spec"]
    path = "spec.jobTemplate.spec"
    errors += job_spec_checks(template, path)
    if template.get("selector") is not None:
        errors.append(invalid(f"{path}.selector", template["selector"], "`selector` will be auto-generated"))
    if template.get("manualSelector"):
        errors.append(not_supported(f"{path}.manualSelector", True, ["nil", "false"]))
    for field in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        errors += nonnegative(spec.get(field), f"spec.{field}")
    return errors


def _create(obj: Json) -> list[FieldError]:
    errors = validate_meta(obj, namespaced=True, name=subdomain_name) + _checks(obj)
    name = obj["metadata"].get("name", "")
    if len(name) > 52:
        errors.append(invalid("metadata.name", name, "must be no more than 52 characters"))
    return errors


def _last(obj: Json, now: datetime) -> str:
    moment = (obj.get("status") or {}).get("lastScheduleTime")
    return since(moment, now) if moment else NONE


def _containers(obj: Json) -> list[Json]:
    return template_containers(obj["spec"]["jobTemplate"]["spec"].get("template"))


_GVK = GVK("batch", "v1", "CronJob")
RULES = {
    _GVK: make(
        _GVK,
        defaults=_default,
        checks=_checks,
        status=True,
        empty_status={},
        counted=("spec",),
        columns=(
            NAME,
            column("Schedule", lambda o: o["spec"].get("schedule", "")),
            column("Timezone", lambda o: o["spec"].get("timeZone") or NONE),
            column("Suspend", lambda o: "True" if o["spec"].get("suspend") else "False", "boolean"),
            column("Active", lambda o: len((o.get("status") or {}).get("active") or ()), "integer"),
            timed("Last Schedule", _last),
            CREATED,
            column("Containers", lambda o: names_of(_containers(o)), wide=True),
            column("Images", lambda o: images_of(_containers(o)), wide=True),
            column("Selector", lambda o: selector_text(o["spec"]["jobTemplate"]["spec"].get("selector")), wide=True),
        ),
        validate_create=_create,
    )
}
