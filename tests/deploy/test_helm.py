"""The Helm chart, the plain manifests made of it, and Terraform's use of it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmitm import __version__
from tests.support.deployed import configured, documents
from tests.support.tools import ROOT, tool

CHART = ROOT / "deploy" / "helm" / "llmitm"
MANIFESTS = ROOT / "deploy" / "k8s" / "llmitm.yaml"
KUBERNETES = "1.34.0"
SHARED = (
    "config.store.ledger=${LLMITM_LEDGER_URL}",
    "config.store.shared=${LLMITM_SHARED_URL}",
    "existingSecret=mine",
)
VARIANTS: dict[str, tuple[str, ...]] = {
    "default": (),
    "several": (*SHARED, "replicaCount=3", "serviceMonitor.enabled=true"),
    "autoscaled": (*SHARED, "autoscaling.enabled=true"),
    "kept": ("persistence.enabled=true", "persistence.storageClass=fast"),
    "open": ("ingress.enabled=true", "ingress.tlsSecret=tls", "networkPolicy.enabled=false"),
    "dressed": (
        "imagePullSecrets[0].name=pull",
        "extraEnv[0].name=PGPASSWORD",
        "extraEnv[0].value=x",
        "nodeSelector.disk=ssd",
        "podAnnotations.a=b",
        "podLabels.c=d",
        "tolerations[0].key=gpu",
        "service.annotations.e=f",
    ),
}
each = pytest.mark.parametrize("variant", VARIANTS)


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [tool("helm"), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def rendered(*settings: str) -> list[dict[str, Any]]:
    sets = [part for setting in settings for part in ("--set", setting)]
    done = helm("template", "llmitm", str(CHART), "--kube-version", KUBERNETES, *sets)
    assert done.returncode == 0, done.stderr
    return documents(done.stdout)


def of_kind(objects: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return next(one for one in objects if one["kind"] == kind)


def pod(objects: list[dict[str, Any]]) -> dict[str, Any]:
    spec: dict[str, Any] = of_kind(objects, "Deployment")["spec"]["template"]["spec"]
    return spec


def test_lint() -> None:
    """`helm lint` finds nothing."""
    done = helm("lint", "--strict", str(CHART))
    assert done.returncode == 0, done.stdout


@each
def test_kubernetes_takes_it(variant: str) -> None:
    """Everything rendered is valid, by Kubernetes's own schemas and without an unknown field."""
    validate = pytest.importorskip("kubernetes_validate")
    for one in rendered(*VARIANTS[variant]):
        if one["kind"] != "ServiceMonitor":  # the Prometheus operator's
            validate.validate(one, KUBERNETES.rpartition(".")[0], strict=True)


def test_a_wrong_field_is_found() -> None:
    """The check above finds what it is for."""
    validate = pytest.importorskip("kubernetes_validate")
    deployment = of_kind(rendered(), "Deployment")
    deployment["spec"]["template"]["spec"]["containers"][0]["readinessProb"] = {}
    with pytest.raises(validate.ValidationError):
        validate.validate(deployment, "1.34", strict=True)


@each
def test_gateway_starts_with_it(variant: str, tmp_path: Path) -> None:
    """The gateway takes the configuration in the config maps."""
    maps = [one for one in rendered(*VARIANTS[variant]) if one["kind"] == "ConfigMap"]
    gateway, policies = (one["data"] for one in maps)
    assert configured(tmp_path, gateway["gateway.yaml"], policies).warnings == ()


@each
def test_hardened(variant: str) -> None:
    """A pod is nobody special, can't write to its image and has no token of Kubernetes."""
    spec = pod(rendered(*VARIANTS[variant]))
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    (container,) = spec["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"]["memory"]


def test_streams_may_end() -> None:
    """A pod is given time: to leave the load balancers, to drain, and to write its ledger."""
    objects = rendered()
    gateway = yaml.safe_load(of_kind(objects, "ConfigMap")["data"]["gateway.yaml"])
    spec = pod(objects)
    assert spec["terminationGracePeriodSeconds"] > 5 + gateway["drain_timeout"]
    assert "preStop" in spec["containers"][0]["lifecycle"]
    strategy = of_kind(objects, "Deployment")["spec"]["strategy"]["rollingUpdate"]
    assert strategy == {"maxSurge": 1, "maxUnavailable": 0}


def test_probes() -> None:
    """Liveness asks whether it runs, readiness whether it takes calls."""
    (container,) = pod(rendered())["containers"]
    paths = {
        probe: container[probe]["httpGet"]["path"]
        for probe in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert paths == {
        "startupProbe": "/healthz",
        "livenessProbe": "/healthz",
        "readinessProbe": "/readyz",
    }


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        (("replicaCount=2",), "shared store"),
        (("autoscaling.enabled=true", SHARED[1]), "one ledger"),
        ((*SHARED, "replicaCount=2", "persistence.enabled=true"), "one pod"),
    ],
)
def test_several_pods_need_shared_stores(settings: tuple[str, ...], word: str) -> None:
    """More pods than one with stores of their own are refused, with what to set."""
    sets = [part for setting in settings for part in ("--set", setting)]
    done = helm("template", "llmitm", str(CHART), *sets)
    assert done.returncode != 0
    assert word in done.stderr


def test_secret_is_yours_or_random() -> None:
    """A token and a key are made where no secret is named, and none where one is."""
    one, other = (of_kind(rendered(), "Secret")["data"] for _ in range(2))
    assert set(one) == {"LLMITM_ADMIN_TOKEN", "LLMITM_DEV_KEY"}
    assert one["LLMITM_DEV_KEY"] != other["LLMITM_DEV_KEY"]
    mine = rendered("existingSecret=mine")
    assert "Secret" not in {object_["kind"] for object_ in mine}
    assert pod(mine)["containers"][0]["envFrom"] == [{"secretRef": {"name": "mine"}}]


def test_policies_change_without_a_restart() -> None:
    """Another policy leaves the pods as they are; another gateway.yaml makes new ones."""

    def checksum(*settings: str) -> str:
        template = of_kind(rendered(*settings), "Deployment")["spec"]["template"]
        return str(template["metadata"]["annotations"]["checksum/config"])

    assert checksum("policies.resilience.hedge_after=2") == checksum()
    assert checksum("config.drain_timeout=60") != checksum()


def test_metrics_have_the_name_of_the_dashboards() -> None:
    """Prometheus calls the job llmitm, whatever the release is called."""
    objects = rendered(*VARIANTS["several"])
    monitor = of_kind(objects, "ServiceMonitor")["spec"]
    assert monitor["jobLabel"] == "app.kubernetes.io/name"
    services = [one for one in objects if one["kind"] == "Service"]
    wanted = monitor["selector"]["matchLabels"].items()
    (chosen,) = [s for s in services if wanted <= s["metadata"]["labels"].items()]
    assert chosen["metadata"]["labels"]["app.kubernetes.io/name"] == "llmitm"
    assert chosen["spec"]["ports"][0]["name"] == monitor["endpoints"][0]["port"]


def test_admin_is_for_operators() -> None:
    """Clients reach the gateway's port; metrics and administration, the monitoring namespace."""
    ingress = of_kind(rendered(), "NetworkPolicy")["spec"]["ingress"]
    ports = {rule["ports"][0]["port"]: rule.get("from") for rule in ingress}
    assert ports["gateway"] is None
    assert ports["admin"]


def test_version() -> None:
    """The chart installs the gateway that it stands beside."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == chart["version"] == __version__


def test_manifests_are_rendered() -> None:
    """deploy/k8s/llmitm.yaml is what `make manifests` makes of the chart."""
    values = ROOT / "deploy" / "k8s" / "values.yaml"
    done = helm(
        *("template", "llmitm", str(CHART), "--namespace", "llmitm", "--values", str(values)),
        *("--kube-version", KUBERNETES, "--skip-tests"),
    )
    assert done.returncode == 0, done.stderr
    assert documents(MANIFESTS.read_text()) == documents(done.stdout), "run make manifests"


def test_manifests_hold_no_secret() -> None:
    """They name a secret, and have none."""
    objects = documents(MANIFESTS.read_text())
    assert "Secret" not in {one["kind"] for one in objects}
    assert pod(objects)["containers"][0]["envFrom"] == [{"secretRef": {"name": "llmitm"}}]
