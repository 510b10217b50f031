"""What caches drop."""

from __future__ import annotations

import json

from hansa.api.item import Item
from hansa.runtime.transform import drop_managed_fields

OBJ = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "a", "labels": {"x": "y"}, "managedFields": [{"manager": "m"}], "annotations": {"k": 'é"}'}},
    "spec": {"replicas": 2, "note": '"managedFields": stays'},
}


def test_managed_fields_go_and_all_else_stays() -> None:
    item = Item.parse(json.dumps(OBJ).encode())
    slim = drop_managed_fields(item)
    wanted = json.loads(json.dumps(OBJ))
    del wanted["metadata"]["managedFields"]
    assert slim.json() == wanted
    assert slim.meta is item.meta
    assert drop_managed_fields(slim) is slim or drop_managed_fields(slim).raw == slim.raw


def test_an_item_of_a_list_keeps_what_names_it() -> None:
    body = {key: OBJ[key] for key in ("metadata", "spec")}
    slim = drop_managed_fields(Item.parse(json.dumps(body).encode(), api_version="apps/v1", kind="Deployment"))
    assert (slim.api_version, slim.kind) == ("apps/v1", "Deployment")
