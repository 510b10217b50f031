"""Where kubectl's output is not held to a real API server's, the documentation says so and why."""

from pathlib import Path

import pytest
from tests.wire.kubectl_cases import CASES

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "api-server.md").read_text()


@pytest.mark.parametrize("case", [case for case in CASES if not case.compare], ids=lambda case: case.name)
def test_a_case_that_is_not_compared_is_documented(case):
    assert case.why
    assert f"| {case.name} | " in PAGE
    assert f" | {case.why} |" in PAGE
