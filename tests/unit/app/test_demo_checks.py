from hansa.app import demo


def test_every_member_is_looked_at():
    assert {wanted.context for wanted in demo.expectations()} == {"hub", *demo.MEMBERS}


def test_both_examples_are_checked():
    stories = [wanted.story for wanted in demo.expectations()]
    assert set(stories) == {"Karmada", "KubeFed"}
    assert min(stories.count(story) for story in set(stories)) > 10


def test_a_finding_holds_only_for_the_very_value():
    wanted = demo.Expectation("Karmada", "member1", ("deployment", "nginx"), "{.spec.replicas}", "2")
    assert demo.Finding(wanted, "2").holds
    assert not demo.Finding(wanted, "").holds
    assert not demo.Finding(wanted, demo.ABSENT).holds
