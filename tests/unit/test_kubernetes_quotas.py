"""Quantities of Kubernetes, and what a quota leaves of what an engine asks for."""

from __future__ import annotations

from typing import Any

import pytest

from rucat_jupyter.core.spec import EngineSpec
from rucat_jupyter.platforms.kubernetes.api import remedies, reviews
from rucat_jupyter.platforms.kubernetes.api.access import Way
from rucat_jupyter.platforms.kubernetes.objects.sizes import sizes
from rucat_jupyter.platforms.kubernetes.rights import Right
from rucat_jupyter.platforms.kubernetes.spec import quotas

SPEC = EngineSpec.model_validate(
    {
        "driver": {"memory": "1g", "request_cores": "250m"},
        "executors": {"instances": 2, "memory": "1g", "request_cores": "500m"},
    }
)


def quota(hard: dict[str, str], used: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    """A ResourceQuota as the API shows it."""
    return {
        "metadata": {"name": "team"},
        "spec": {"hard": hard, **spec},
        "status": {"hard": hard, "used": used or {}},
    }


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("500m", 0.5),
        ("2", 2),
        ("1.5Gi", 1.5 * 1024**3),
        ("1k", 1000),
        ("3M", 3e6),
        ("1Ki", 1024),
        ("1e3", 1000),
        ("1E", 1e18),
        ("12E2", 1200),
        (".5", 0.5),
        ("100n", 1e-7),
    ],
)
def test_quantities_mean_what_kubernetes_means(text: str, number: float) -> None:
    """Decimal and binary units, thousandths, exponents."""
    assert quotas.quantity(text) == pytest.approx(number)


@pytest.mark.parametrize("text", ["", "1gb", "m", "1 Gi x", "1MI"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    """Units are exact: ``MI`` is none."""
    with pytest.raises(ValueError, match="quantity"):
        quotas.quantity(text)


def test_an_engine_asks_for_all_of_its_pods_and_objects() -> None:
    """Requests of driver and executors with overhead; a CPU limit only where every pod has one."""
    asked = quotas.demand(sizes(SPEC), 2, {"secrets": 1})
    assert (asked["requests.cpu"], asked["pods"], asked["count/pods"]) == (1.25, 3, 3)
    assert asked["limits.memory"] == 3 * 1408 * 1024**2
    assert asked["secrets"] == asked["count/secrets"] == 1
    assert "limits.cpu" not in asked
    both = SPEC.model_copy(
        update={part: getattr(SPEC, part).model_copy(update={"limit_cores": "1"}) for part in ("driver", "executors")}
    )
    assert quotas.demand(sizes(both), 2, {})["limits.cpu"] == 3


def test_what_a_quota_leaves_is_compared_with_what_is_asked() -> None:
    """What others use counts; quotas for some pods only, and resources that no pod requests, are left out."""
    asked = quotas.demand(sizes(SPEC), 2, {"secrets": 1})
    hard = {"requests.cpu": "2", "requests.memory": "8Gi", "pods": "3", "requests.nvidia.com/gpu": "0"}
    rows = list(quotas.headroom([quota(hard, {"requests.cpu": "800m", "pods": "0"})], asked))
    assert {row.resource: (row.asked, row.used, row.hard, row.fits) for row in rows} == {
        "requests.cpu": ("1.25", "0.8", "2", False),
        "requests.memory": ("4.1 GB", "0.0 GB", "8.0 GB", True),
        "pods": ("3", "0", "3", True),
    }
    assert list(quotas.headroom([quota(hard, scopes=["Terminating"])], asked)) == []
    assert quotas.unlimited_cpu([quota({"limits.cpu": "4"})], asked)
    assert not quotas.unlimited_cpu([quota(hard)], asked)


def test_missing_rights_are_named_by_resource_with_the_command_that_gives_them() -> None:
    """One word for each resource; the context is quoted as a shell wants it."""
    found = [Right("create", "pods"), Right("delete", "pods"), Right("get", "pods", "log")]
    assert reviews.words(found) == "pods (create, delete), pods/log (get)"
    outside = remedies.remedy(Way("/k", "my cluster", "team-a"))
    assert outside == "rucat kubernetes manifests --namespace team-a | kubectl --context 'my cluster' apply -f -"
    assert remedies.kubectl(Way("", "in-cluster", "team-a")) == "kubectl"
