"""What of the rig needs no Kubernetes: finding programs, ports, certificates, processes."""

from __future__ import annotations

import asyncio
import os
import re
import stat
import sys
from pathlib import Path

import pytest
from cryptography import x509

from hansa.kube.errors import ConfigError
from hansa.rig import ports
from hansa.rig.binaries import KUBERNETES_VERSION, PROGRAMS, MissingBinaries, default_directory, find_binaries
from hansa.rig.pki import Pki
from hansa.runtime.process import Process, ProcessEnded

ROOT = Path(__file__).parents[3]


def put_programs(directory: Path, names: tuple[str, ...] = PROGRAMS) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name in names:
        (directory / name).write_text("#!/bin/sh\n")
        (directory / name).chmod(0o755)


def test_binaries_come_from_the_cache_or_from_kube_bin(tmp_path: Path) -> None:
    environment = {"XDG_CACHE_HOME": str(tmp_path)}
    with pytest.raises(MissingBinaries, match="make kube") as caught:
        find_binaries(environment)
    assert caught.value.missing == PROGRAMS
    assert isinstance(caught.value, ConfigError)
    put_programs(default_directory(environment))
    assert find_binaries(environment).etcd == tmp_path / "hansa" / "kube" / KUBERNETES_VERSION / "etcd"

    put_programs(tmp_path / "mine", ("etcd",))
    with pytest.raises(MissingBinaries, match="KUBE_BIN") as caught:
        find_binaries(environment | {"KUBE_BIN": str(tmp_path / "mine")})
    assert "etcd" not in caught.value.missing


def test_the_build_script_makes_the_version_that_is_looked_for() -> None:
    script = (ROOT / "tools" / "kube" / "build.sh").read_text()
    assert re.search(r"^VERSION=(\S+)", script, re.MULTILINE)[1] == KUBERNETES_VERSION  # type: ignore[index]
    module = (ROOT / "tools" / "kube" / "go.mod").read_text()
    assert f"k8s.io/kubernetes {KUBERNETES_VERSION}" in module
    for program in PROGRAMS:
        assert f"[{program}]=" in script


def test_ports_stay_the_same_and_differ_from_each_other(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    first = ports.reserve(file, ["a", "b"])
    assert ports.reserve(file, ["b", "a"]) == first
    more = ports.reserve(file, ["a", "b", "c"])
    assert more["a"] == first["a"]
    assert len(set(more.values())) == 3


async def test_a_taken_port_is_named(tmp_path: Path) -> None:
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(ConfigError, match=str(port)):
        await ports.wait_free([port], seconds=0.2)
    server.close()
    await server.wait_closed()
    await ports.wait_free([port])


def test_certificates_are_private_and_made_once(tmp_path: Path) -> None:
    pki = Pki(tmp_path / "pki")
    pki.ensure("10.96.0.1")
    for file in pki.directory.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    admin = x509.load_pem_x509_certificate(pki.pair("admin").certificate)
    assert admin.subject.rfc4514_string() == "CN=system:admin,O=system:masters"
    server = x509.load_pem_x509_certificate(pki.pair("server").certificate)
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "kubernetes.default.svc" in names.get_values_for_type(x509.DNSName)
    assert "10.96.0.1" in map(str, names.get_values_for_type(x509.IPAddress))
    before = {file.name: file.read_bytes() for file in pki.directory.iterdir()}
    pki.ensure("10.96.0.1")
    assert {file.name: file.read_bytes() for file in pki.directory.iterdir()} == before


async def test_a_process_is_stopped_and_its_end_is_told(tmp_path: Path) -> None:
    sleeper = Process("sleeper", [sys.executable, "-c", "import time; time.sleep(600)"], tmp_path / "sleeper.log")
    await sleeper.start()
    pid = sleeper.pid
    assert pid is not None
    assert os.getpgid(pid) == pid
    await sleeper.start()  # does nothing
    assert sleeper.pid == pid
    await sleeper.stop()
    assert sleeper.pid is None

    failing = Process("failing", [sys.executable, "-c", "print('no luck'); raise SystemExit(3)"], tmp_path / "f.log")
    await failing.start()
    with pytest.raises(ProcessEnded, match="no luck"):
        while True:
            failing.check()
            await asyncio.sleep(0.01)
    await failing.stop()


async def test_a_process_that_will_not_stop_is_killed(tmp_path: Path) -> None:
    program = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    )
    stubborn = Process("stubborn", [sys.executable, "-c", program], tmp_path / "stubborn.log")
    await stubborn.start()
    for _ in range(500):
        if "up" in stubborn.tail():
            break
        await asyncio.sleep(0.01)
    await stubborn.stop(seconds=0.2)
    assert stubborn.pid is None
