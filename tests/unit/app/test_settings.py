"""What the command line says, as settings; each error names its flag and a way out."""

from __future__ import annotations

import pytest

from hansa.app.control_plane import Settings
from hansa.kube.errors import ConfigError

GIVEN = {"gates": "", "scheduler": "s", "skipped_apis": "", "skipped_namespaces": "kube-.*", "eviction_timeout": ""}


def test_defaults_are_the_safe_ones() -> None:
    options = Settings.of(**GIVEN).options
    assert options.eviction_limit_seconds is None
    assert options.skipped_namespaces == ("kube-.*",)
    assert options.gates.enabled("PropagateDeps")
    assert Settings.of(**GIVEN).services_stale_after_seconds == 86400


def test_karmadas_flags_are_read() -> None:
    given = {
        "services_stale_after": "0",
        "eviction_timeout": "10m",
        "skipped_namespaces": "kube-.*, dev",
        "skipped_apis": "batch; v1/Pod",
    }
    settings = Settings.of(**{**GIVEN, **given, "gates": "GracefulEviction=false"})
    assert settings.options.eviction_limit_seconds == 600
    assert settings.options.skipped_namespaces == ("kube-.*", "dev")
    assert settings.skipped_apis == ("batch", "v1/Pod")
    assert settings.services_stale_after_seconds == 0
    assert not settings.options.gates.enabled("GracefulEviction")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("gates", "Nonsense=true", "--feature-gates: unrecognized feature gate: Nonsense. Known are "),
        ("skipped_namespaces", "(", "--skipped-propagating-namespaces (: "),
        ("skipped_apis", "a/b/c/d", "--skipped-propagating-apis a/b/c/d: wanted GROUP, "),
        ("eviction_timeout", "10", "--graceful-eviction-timeout: '10' is no duration: write numbers with units"),
        ("services_stale_after", "", "--service-stale-after: wanted a duration such as 24h, or 0 for never"),
        ("eviction_timeout", "-1s", "--graceful-eviction-timeout -1s: must be greater than or equal to 0"),
    ],
)
def test_bad_flags_are_named(name: str, value: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.of(**{**GIVEN, name: value})
    assert str(caught.value).startswith(message)
