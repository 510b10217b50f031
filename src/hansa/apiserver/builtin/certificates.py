"""certificates.k8s.io/v1 CertificateSigningRequest."""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64
from typing import Any

from hansa.api.meta import GVK, Json
from hansa.apiserver.builtin.cells import NONE, human_duration
from hansa.apiserver.builtin.checks import each
from hansa.apiserver.builtin.fallback import CREATED, NAME
from hansa.apiserver.builtin.kind import column, make
from hansa.apiserver.builtin.rules import WriteContext
from hansa.base.field import FieldError, duplicate, invalid, required
from hansa.base.names import dns1123_subdomain

_USAGES = frozenset(
    (
        "signing",
        "digital signature",
        "content commitment",
        "key encipherment",
        "key agreement",
        "data encipherment",
        "cert sign",
        "crl sign",
        "encipher only",
        "decipher only",
        "any",
        "server auth",
        "client auth",
        "code signing",
        "email protection",
        "s/mime",
        "ipsec end system",
        "ipsec tunnel",
        "ipsec user",
        "timestamping",
        "ocsp signing",
        "microsoft sgc",
        "netscape sgc",
    )
)


def _create(obj: Json, context: WriteContext) -> None:
    """The requestor is who asks, whatever the request says."""
    spec, user = obj["spec"], context.user
    for field in ("username", "uid", "groups", "extra"):
        spec.pop(field, None)
    spec["username"] = user.name
    if user.uid:
        spec["uid"] = user.uid
    if user.groups:
        spec["groups"] = list(user.groups)
    if user.extra:
        spec["extra"] = {key: list(values) for key, values in user.extra.items()}
    obj["status"] = {}
    obj["metadata"].pop("generation", None)


def _update(new: Json, old: Json, subresource: str) -> None:
    new["spec"] = old["spec"]
    new["metadata"].pop("generation", None)
    status: Json = new.get("status") or {}
    before: Json = old.get("status") or {}

    def of(conditions: Any, *, decided: bool) -> list[Json]:
        return [c for c in conditions or () if (c.get("type") in ("Approved", "Denied")) is decided]

    if subresource == "approval":
        new["status"] = {**before, "conditions": status.get("conditions") or []}
    elif subresource == "status":
        # approving and denying are the approval subresource's business
        kept = of(before.get("conditions"), decided=True) + of(status.get("conditions"), decided=False)
        new["status"] = {**status, "conditions": kept}
    else:
        new["status"] = before
    if not new["status"].get("conditions"):
        new["status"].pop("conditions", None)


def _checks(obj: Json) -> list[FieldError]:
    from cryptography import x509

    spec = obj["spec"]
    errors: list[FieldError] = []
    try:
        request = x509.load_pem_x509_csr(a2b_base64(spec.get("request") or ""))
        if not request.is_signature_valid:
            raise ValueError
    except (ValueError, TypeError, Base64Error):
        shown = list(a2b_base64(spec.get("request") or ""))
        errors.append(invalid("spec.request", shown, "PEM block type must be CERTIFICATE REQUEST"))
    usages = spec.get("usages") or []
    if not usages:
        errors.append(required("spec.usages"))
    for index, usage in enumerate(usages):
        if usage not in _USAGES:
            errors.append(invalid(f"spec.usages[{index}]", usage, ""))
        if usage in usages[:index]:
            errors.append(duplicate(f"spec.usages[{index}]", usage))
    signer = spec.get("signerName", "")
    errors += _signer(signer)
    seconds = spec.get("expirationSeconds")
    if seconds is not None and seconds < 600:
        errors.append(
            invalid("spec.expirationSeconds", seconds, "may not specify a duration less than 600 seconds (10 minutes)")
        )
    return errors


def _signer(name: str) -> list[FieldError]:
    path = "spec.signerName"
    if not name:
        return [required(path)]
    domain, slash, rest = name.partition("/")
    if not slash or "/" in rest:
        return [invalid(path, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'")]
    errors = each(path, domain, dns1123_subdomain(domain))
    if "." not in domain:
        errors.append(invalid(path, domain, "should be a domain with at least two segments separated by dots"))
    if not rest:
        errors.append(invalid(path, rest, "validation failed"))
    return errors


def _condition(obj: Json) -> str:
    status: Json = obj.get("status") or {}
    types = {condition.get("type") for condition in status.get("conditions") or ()}
    text = "Denied" if "Denied" in types else "Approved" if "Approved" in types else "Pending"
    if "Failed" in types:
        text += ",Failed"
    return f"{text},Issued" if status.get("certificate") else text


def _duration(obj: Json) -> str:
    seconds = obj["spec"].get("expirationSeconds")
    return NONE if seconds is None else human_duration(seconds)


_GVK = GVK("certificates.k8s.io", "v1", "CertificateSigningRequest")
RULES = {
    _GVK: make(
        _GVK,
        namespaced=False,
        name=lambda name, prefix: [],
        checks=_checks,
        recheck=False,
        status=True,
        columns=(
            NAME,
            CREATED,
            column("SignerName", lambda o: o["spec"].get("signerName") or NONE),
            column("Requestor", lambda o: o["spec"].get("username", "")),
            column("RequestedDuration", _duration),
            column("Condition", _condition),
        ),
        fields={"spec.signerName": lambda o: o["spec"].get("signerName", "")},
        prepare_create=_create,
        prepare_update=_update,
    )
}
