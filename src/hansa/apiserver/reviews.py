"""Questions that are answered and not stored: who am I, may I, whose token is this; and tokens for ServiceAccounts."""

from __future__ import annotations

from hansa.api.meta import Json
from hansa.apiserver import faults
from hansa.apiserver.authn import Authenticator
from hansa.apiserver.body import JSON, decode
from hansa.apiserver.context import Call, Context
from hansa.apiserver.message import UserInfo
from hansa.apiserver.rbac import Attributes
from hansa.apiserver.tokens import TokenRefused
from hansa.apiserver.writes import Result
from hansa.base.clock import rfc3339


async def answer(context: Context, authenticator: Authenticator, call: Call) -> Result:
    """A review with its status. Raises MethodNotAllowed, BadRequest."""
    if call.target.verb != "create":
        raise faults.method_not_allowed(call.target.verb)
    review = decode(call.request.body, call.request.headers.get("content-type", JSON))
    review.setdefault("apiVersion", call.gvk.api_version)
    review["kind"] = call.gvk.kind
    meta = review.setdefault("metadata", {})
    spec: Json = review.setdefault("spec", {})
    match call.gvk.kind:
        case "SelfSubjectReview":
            meta["creationTimestamp"] = rfc3339(context.clock.now())
            review["status"] = {"userInfo": _user_json(call.user)}
            del review["spec"]
        case "TokenReview":
            review["status"] = _token_status(authenticator, spec)
        case "SelfSubjectRulesReview":
            review["status"] = _rules_status(context, call.user, spec)
        case "SelfSubjectAccessReview":
            review["status"] = _access_status(context, call.user, spec)
        case "SubjectAccessReview" | "LocalSubjectAccessReview":
            extra = {key: tuple(values) for key, values in (spec.get("extra") or {}).items()}
            user = UserInfo(spec.get("user", ""), tuple(spec.get("groups") or ()), spec.get("uid", ""), extra)
            review["status"] = _access_status(context, user, spec)
        case _:
            raise faults.no_such_resource()
    return Result(201, review)


def token(context: Context, call: Call, request: Json, account: Json) -> Json:
    """serviceaccounts/token (authentication.k8s.io/v1 TokenRequest). Raises what the issuer refuses."""
    try:
        return context.issuer.request(account, request)
    except TokenRefused as refused:
        if refused.errors:
            gvk = call.served.subresources["token"].gvk
            raise faults.invalid(gvk, call.target.name, refused.errors) from refused
        raise faults.Fault(refused.code, refused.reason, str(refused)) from refused


def _user_json(user: UserInfo) -> Json:
    info: Json = {"username": user.name, "groups": list(user.groups)}
    if user.uid:
        info["uid"] = user.uid
    if user.extra:
        info["extra"] = {key: list(values) for key, values in user.extra.items()}
    return info


def _token_status(authenticator: Authenticator, spec: Json) -> Json:
    audiences = tuple(spec.get("audiences") or ())
    user = authenticator.user_of_token(spec.get("token", ""), audiences)
    if user is None:
        return {"user": {}, "error": "[invalid bearer token]"}
    status: Json = {"authenticated": True, "user": _user_json(user)}
    if audiences:
        status["audiences"] = list(audiences)
    return status


def _access_status(context: Context, user: UserInfo, spec: Json) -> Json:
    about = spec.get("resourceAttributes")
    if about is not None:
        asked = Attributes(
            about.get("verb", ""),
            about.get("group", ""),
            about.get("version", ""),
            about.get("resource", ""),
            about.get("subresource", ""),
            about.get("namespace", ""),
            about.get("name", ""),
        )
    elif spec.get("nonResourceAttributes") is not None:
        about = spec["nonResourceAttributes"]
        asked = Attributes(about.get("verb", ""), path=about.get("path", ""))
    else:
        text = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        raise faults.Fault(422, "Invalid", f"spec.resourceAttributes: Invalid value: null: {text}")
    decision = context.authorizer.allowed(user, asked)
    status: Json = {"allowed": decision.allowed}
    if decision.reason:
        status["reason"] = decision.reason
    return status


def _rules_status(context: Context, user: UserInfo, spec: Json) -> Json:
    rules, error = context.authorizer.rules_of(user, spec.get("namespace", ""))
    resource_rules = [rule for rule in rules if rule.get("resources")]
    path_rules = [rule for rule in rules if rule.get("nonResourceURLs")]
    status: Json = {"resourceRules": resource_rules, "nonResourceRules": path_rules, "incomplete": bool(error)}
    if error:
        status["evaluationError"] = error
    return status
