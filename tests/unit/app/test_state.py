import os
import socket
import stat

import pytest

from hansa.app.state import FederationSpec, StateFolder
from hansa.kube.errors import ConfigError
from hansa.rig.ports import free_ports


@pytest.fixture
def folder(tmp_path):
    folder = StateFolder(tmp_path / "fed")
    folder.prepare()
    return folder


def test_the_folder_is_its_owners_alone(folder):
    assert stat.S_IMODE(folder.directory.stat().st_mode) == 0o700
    path = folder.write_private(folder.pki / "key", b"secret")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_only_one_process_has_it(folder):
    other = StateFolder(folder.directory)
    assert folder.acquire()
    assert other.owner() == os.getpid()
    assert not other.acquire()
    folder.release()
    assert other.owner() is None
    assert other.acquire()
    other.release()


def test_a_pid_that_was_left_behind_owns_nothing(folder):
    (folder.directory / "pid").write_text("1\n")
    (folder.directory / "lock").touch()
    assert folder.owner() is None


def test_ports_stay_the_same(folder):
    first = folder.ports(["hub", "member1"])
    assert folder.ports(["hub", "member1", "member2"])["hub"] == first["hub"]
    again = StateFolder(folder.directory).ports(["member2", "member1"])
    assert again["member1"] == first["member1"]
    assert len({*again.values(), first["hub"]}) == 3


def test_free_ports_can_be_listened_on():
    ports = free_ports(5)
    assert len(set(ports)) == 5
    for port in ports:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", port))


def test_what_was_asked_for_is_remembered(folder):
    assert folder.spec() is None
    spec = FederationSpec(("a", "b"), real=True)
    folder.record(spec)
    assert folder.spec() == spec
    assert spec.servers == ("hub", "a", "b")


def test_a_damaged_record_says_how_to_go_on(folder):
    (folder.directory / "ports.json").write_text("{")
    with pytest.raises(ConfigError, match="down --purge"):
        folder.ports(["hub"])


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(ConfigError, match="--dir"):
        StateFolder(file / "fed").prepare()


def test_the_word_of_one_who_was_killed_is_not_taken_for_ours(folder):
    folder.ready({"summary": "ready"})
    assert folder.acquire()
    assert folder.readiness() is None
    folder.release()
