from hansa.base.gotext import go_text


def test_go_prints_maps_sorted_and_without_quotes():
    assert go_text({"b": ["x", 1], "a": None, "c": {"d": True}}) == "map[a:<nil> b:[x 1] c:map[d:true]]"
