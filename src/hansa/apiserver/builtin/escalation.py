"""Does one set of RBAC rules cover another? Nobody may grant what they do not hold."""

from __future__ import annotations

from collections.abc import Iterable

from hansa.api.meta import Json


def missing_rights(held: list[Json], wanted: list[Json]) -> list[str]:
    """Descriptions, sorted, of what `wanted` grants beyond `held`; rules that differ only by verb are joined."""
    missing = [atom for rule in wanted for atom in _atoms(rule) if not any(_covers(own, atom) for own in held)]
    joined: dict[tuple[str, ...], Json] = {}
    for atom in missing:
        if "nonResourceURLs" in atom:
            joined[("url", *atom["nonResourceURLs"], *atom["verbs"])] = atom
            continue
        key = (atom["apiGroups"][0], atom["resources"][0], *(atom.get("resourceNames") or ()))
        if key in joined:
            joined[key]["verbs"] += atom["verbs"]
        else:
            joined[key] = atom
    return sorted({_describe(rule) for rule in joined.values()})


def _atoms(rule: Json) -> Iterable[Json]:
    verbs: list[str] = rule.get("verbs") or []
    names: list[str] = rule.get("resourceNames") or []
    for group in rule.get("apiGroups") or ():
        for resource in rule.get("resources") or ():
            for verb in verbs:
                atom: Json = {"apiGroups": [group], "resources": [resource], "verbs": [verb]}
                if not names:
                    yield atom
                for name in names:
                    yield atom | {"resourceNames": [name], "verbs": [verb]}
    for url in rule.get("nonResourceURLs") or ():
        for verb in verbs:
            yield {"nonResourceURLs": [url], "verbs": [verb]}


def _covers(own: Json, atom: Json) -> bool:
    verbs = own.get("verbs") or ()
    if "*" not in verbs and atom["verbs"][0] not in verbs:
        return False
    if "nonResourceURLs" in atom:
        path = atom["nonResourceURLs"][0]
        return any(
            url == path or (url.endswith("*") and path.startswith(url.rstrip("*")))
            for url in own.get("nonResourceURLs") or ()
        )
    groups = own.get("apiGroups") or ()
    if "*" not in groups and atom["apiGroups"][0] not in groups:
        return False
    resource: str = atom["resources"][0]
    resources = own.get("resources") or ()
    if "*" not in resources and resource not in resources:
        _, slash, subresource = resource.partition("/")
        if not slash or f"*/{subresource}" not in resources:
            return False
    own_names = own.get("resourceNames") or ()
    names = atom.get("resourceNames") or ()
    return not own_names or (bool(names) and names[0] in own_names)


def _describe(rule: Json) -> str:
    """`{APIGroups:["apps"], Resources:["deployments"], Verbs:["get" "list"]}`."""
    parts = (
        ("APIGroups", "apiGroups"),
        ("Resources", "resources"),
        ("NonResourceURLs", "nonResourceURLs"),
        ("ResourceNames", "resourceNames"),
        ("Verbs", "verbs"),
    )
    texts = [
        f"{title}:[{' '.join(_quote(value) for value in rule[field])}]" for title, field in parts if rule.get(field)
    ]
    return "{" + ", ".join(texts) + "}"


def _quote(text: str) -> str:
    return f'"{text}"'
