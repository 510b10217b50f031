"""The zone on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from hansa.kube.errors import ConfigError
from hansa.service.dns.state import ZoneFile
from hansa.service.dns.zone import Host, Port, Service

SERVICES = (
    Service("shop", "web", headless=False, addresses=("10.0.0.1",), ports=(Port("http", "tcp", 80),)),
    Service("shop", "db", headless=True, hosts=(Host("db-0", "east", ("10.0.0.2",), (Port("pg", "tcp", 1),), 2),)),
)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    file = ZoneFile(tmp_path / "zone")
    assert file.age_seconds(0) is None
    file.save("here", SERVICES)
    assert file.load() == ("here", SERVICES)
    assert (tmp_path / "zone").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["zone"]


def test_its_age_is_counted_from_when_it_was_last_true(tmp_path: Path) -> None:
    file = ZoneFile(tmp_path / "zone")
    file.save("here", SERVICES)
    file.touch(1000.0)
    assert file.age_seconds(1060.0) == 60.0


def test_damage_is_an_error_and_not_an_empty_zone(tmp_path: Path) -> None:
    path = tmp_path / "zone"
    for content in (b"", b"{}", b'{"cluster":"here","services":[{}]}', b"\0\0"):
        path.write_bytes(content)
        with pytest.raises(ValueError):
            ZoneFile(path).load()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--state .*missing/zone"):
        ZoneFile(tmp_path / "missing" / "zone").check()
