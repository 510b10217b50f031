"""`hansa run`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from hansa.cli import session


@click.command("run")
@session.hub_options
@click.option(
    "--health-address", default="127.0.0.1:10357", show_default=True, help="HOST:PORT of /readyz, /healthz, /metrics."
)
@click.option("--webhook-address", help="HOST:PORT of admission webhooks, as the hub reaches it; default: none.")
@click.option("--kube-api-qps", default=400.0, show_default=True, help="Requests per second to the hub; 0: no limit.")
@click.option("--kube-api-burst", default=800, show_default=True, help="Requests to the hub at once.")
@click.option("--cluster-api-qps", default=200.0, show_default=True, help="Requests per second to each member.")
@click.option("--cluster-api-burst", default=400, show_default=True, help="Requests to each member at once.")
@click.option("--feature-gates", default="", help="Karmada's gates, Name=bool,...; all are on.")
@click.option("--scheduler-name", default="default-scheduler", show_default=True, help="Bindings naming it are ours.")
@click.option("--skipped-propagating-apis", default="", help="No templates: group[/version[/Kind,Kind]];...")
@click.option(
    "--skipped-propagating-namespaces",
    default="kube-.*",
    show_default=True,
    help="Regular expressions of namespaces without templates, separated by commas.",
)
@click.option(
    "--graceful-eviction-timeout",
    default="",
    metavar="DURATION",
    help="What runs in a cluster that is left goes after this even without a healthy replacement (Karmada: 10m);"
    " default: never.",
)
@click.option(
    "--plugins", default="*", show_default=True, help="Of the scheduler: * all, NAME this one, -NAME not; with commas."
)
@click.option(
    "--clear-clusters-without-fit",
    is_flag=True,
    help="A template that no cluster fits leaves its clusters even where something is broken, as in Karmada;"
    " default: the last placement stays.",
)
@click.option(
    "--enable-empty-workload-propagation",
    is_flag=True,
    help="Divided workloads also go to clusters that get no replicas.",
)
@click.option(
    "--service-stale-after",
    default="24h",
    show_default=True,
    metavar="DURATION",
    help="Endpoints of a cluster that cannot be reached for so long are withdrawn from the others; 0: never.",
)
@click.option("--leader-elect/--no-leader-elect", default=True, show_default=True, help="Work only as the leader.")
@click.option("--log-format", type=click.Choice(["console", "json"]), default="console", show_default=True)
def command(
    kubeconfig: Path | None,
    context: str | None,
    health_address: str,
    webhook_address: str | None,
    kube_api_qps: float,
    kube_api_burst: int,
    cluster_api_qps: float,
    cluster_api_burst: int,
    leader_elect: bool,
    log_format: Literal["console", "json"],
    feature_gates: str,
    scheduler_name: str,
    skipped_propagating_apis: str,
    skipped_propagating_namespaces: str,
    graceful_eviction_timeout: str,
    plugins: str,
    clear_clusters_without_fit: bool,
    enable_empty_workload_propagation: bool,
    service_stale_after: str,
) -> None:
    """Run the control plane against a hub, in the foreground.

    It works as the ServiceAccount hansa-system/hansa, which `hansa init` installs.
    """

    async def work() -> None:
        from hansa.app.control_plane import Settings
        from hansa.app.run import RunOptions, run

        settings = Settings.of(
            gates=feature_gates,
            scheduler=scheduler_name,
            skipped_apis=skipped_propagating_apis,
            skipped_namespaces=skipped_propagating_namespaces,
            eviction_timeout=graceful_eviction_timeout,
            plugins=plugins,
            no_fit_clears=clear_clusters_without_fit,
            keeps_empty=enable_empty_workload_propagation,
            services_stale_after=service_stale_after,
        )
        options = RunOptions(
            kubeconfig,
            context,
            health_address,
            webhook_address,
            kube_api_qps,
            kube_api_burst,
            cluster_api_qps,
            cluster_api_burst,
            leader_elect,
            log_format,
            settings,
        )
        await run(options, session.say)

    session.run(work())
