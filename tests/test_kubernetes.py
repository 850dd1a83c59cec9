"""The Kubernetes manifests: valid for two versions, each part finds the others, and no secret stands in them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import kubernetes_validate  # type: ignore[import-untyped] # it has no types
import pytest
import yaml

from service.metrics._catalogue import DUE
from service.settings import SECRET_FILES, VARIABLES
from tests.test_deploy import DEPLOY, documents, run

BASE: Final = DEPLOY / "kubernetes" / "base"
OVERLAY: Final = DEPLOY / "kubernetes" / "overlays" / "example"
VERSIONS: Final = ("1.32", "1.37")
"""The oldest and the newest Kubernetes that the manifests are held to."""

OTHERS: Final = {"ScaledObject", "ServiceMonitor"}
"""Kinds that come with KEDA and the Prometheus operator; Kubernetes itself has no schema of them."""


def manifests(folder: Path) -> list[Any]:
    """What a folder's kustomization lists of its own."""
    listed = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    return [one for name in listed if name.endswith(".yaml") for one in documents(folder / name)]


@pytest.fixture(scope="session")
def rendered() -> list[Any]:
    """The example as `kubectl apply -k` would send it."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    return [one for one in yaml.safe_load_all(run("kubectl", "kustomize", OVERLAY)) if one]


def of_kind(objects: list[Any], kind: str) -> list[Any]:
    return [one for one in objects if one["kind"] == kind]


def invalid(objects: list[Any], version: str) -> Iterator[str]:
    for one in objects:
        try:
            kubernetes_validate.validate(one, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            yield f"{one['kind']} {one['metadata']['name']}: {error.message}"


def native(objects: list[Any]) -> list[Any]:
    return [one for one in objects if one["kind"] not in OTHERS]


@pytest.mark.parametrize("folder", [BASE, OVERLAY], ids=["base", "overlay"])
def test_the_manifests_are_valid(folder: Path) -> None:
    assert list(invalid(native(manifests(folder)), VERSIONS[0])) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_the_example_is_valid_as_it_is_rendered(rendered: list[Any], version: str) -> None:
    assert list(invalid(native(rendered), version)) == []
    assert {one["kind"] for one in rendered if one["kind"] in OTHERS} == OTHERS


def test_a_mistake_in_a_manifest_would_be_found() -> None:
    (service,) = of_kind(manifests(BASE), "Service")
    assert list(invalid([{**service, "spec": {**service["spec"], "ports": "http"}}], VERSIONS[0])) != []


def labels_of_pods(objects: list[Any]) -> list[dict[str, str]]:
    return [one["spec"]["template"]["metadata"]["labels"] for one in objects if "template" in one.get("spec", {})]


def selectors(rendered: list[Any]) -> Iterator[tuple[str, dict[str, str]]]:
    """Which labels each object looks for in pods."""
    for one in rendered:
        name, spec = f"{one['kind']} {one['metadata']['name']}", one.get("spec", {})
        match one["kind"]:
            case "Service":
                yield name, spec["selector"]
            case "Deployment" | "StatefulSet" | "PodDisruptionBudget":
                yield name, spec["selector"]["matchLabels"]
            case "NetworkPolicy":
                yield name, spec["podSelector"]["matchLabels"]


def test_whatever_looks_for_pods_finds_some(rendered: list[Any]) -> None:
    pods = labels_of_pods(rendered)
    assert [
        name for name, wanted in selectors(rendered) if not any(wanted.items() <= pod.items() for pod in pods)
    ] == []


def test_each_pod_stands_behind_a_wall_and_under_the_restricted_standard(rendered: list[Any]) -> None:
    walls = [policy["spec"]["podSelector"]["matchLabels"] for policy in of_kind(rendered, "NetworkPolicy")]
    for one in rendered:
        if "template" not in one.get("spec", {}):
            continue
        assert any(wall.items() <= one["spec"]["template"]["metadata"]["labels"].items() for wall in walls)
        pod = one["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_whoever_scales_or_watches_finds_what_it_names(rendered: list[Any]) -> None:
    deployments = {one["metadata"]["name"] for one in of_kind(rendered, "Deployment")}
    scaled = [*of_kind(rendered, "ScaledObject"), *of_kind(rendered, "HorizontalPodAutoscaler")]
    assert {one["spec"]["scaleTargetRef"]["name"] for one in scaled} == deployments
    (monitor,) = of_kind(rendered, "ServiceMonitor")
    wanted = monitor["spec"]["selector"]["matchLabels"]
    (service,) = (
        one for one in of_kind(rendered, "Service") if wanted.items() <= one["metadata"].get("labels", {}).items()
    )
    assert {one["port"] for one in monitor["spec"]["endpoints"]} <= {one["name"] for one in service["spec"]["ports"]}


def test_workers_are_scaled_by_a_metric_that_there_is_and_never_to_none(rendered: list[Any]) -> None:
    (scaled,) = of_kind(rendered, "ScaledObject")
    assert scaled["spec"]["minReplicaCount"] >= 1
    (trigger,) = scaled["spec"]["triggers"]
    assert trigger["type"] == "prometheus"
    assert trigger["metadata"].keys() == {"serverAddress", "query", "threshold"}
    assert re.findall(r"crafty_\w+", trigger["metadata"]["query"]) == [DUE.name]


def test_secrets_are_referred_to_and_nowhere_written_down(rendered: list[Any]) -> None:
    assert of_kind(rendered, "Secret") == []
    for one in of_kind(rendered, "Deployment"):
        (container,) = one["spec"]["template"]["spec"]["containers"]
        assert container["envFrom"] == [{"secretRef": {"name": "crafty"}}]
        named = {variable["name"] for variable in container["env"]}
        assert named <= {*VARIABLES, "FORWARDED_ALLOW_IPS"}
        assert not named & {*SECRET_FILES, *(name.removesuffix("_FILE") for name in SECRET_FILES)}


def test_the_ingress_leads_to_what_people_and_senders_need_and_not_to_the_metrics(rendered: list[Any]) -> None:
    (ingress,) = of_kind(rendered, "Ingress")
    (rule,) = ingress["spec"]["rules"]
    assert [one["path"] for one in rule["http"]["paths"]] == ["/webhooks", "/api", "/console", "/docs"]


def test_kubernetes_runs_the_same_redis_as_everybody() -> None:
    assert (OVERLAY / "redis.conf").read_text() == (DEPLOY / "redis.conf").read_text()
