"""Builds Kubernetes, kubectl, etcd, kwok and the pause program from Go modules."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

from . import cache, versions

SOURCES = Path(__file__).parent / "go"
STAGING = re.compile(r"^\t(k8s\.io/\S+) => \./staging", re.MULTILINE)
MODULE = "module rucat.test/{name}\n\ngo {go}\n\nrequire {path} {version}\n"
KUBERNETES = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet")


def missing() -> str | None:
    """Say in one line why nothing can be built here, or nothing."""
    if shutil.which("go") is None:
        return "go is not on PATH (Go 1.24 or newer builds Kubernetes)"
    return None


def kubernetes() -> Path:
    """Give a folder with Kubernetes' processes: one binary under five names."""
    version = versions.KUBERNETES
    source = (SOURCES / "kubernetes.go").read_text()
    component = "k8s.io/component-base/version"
    major, minor, _ = version.removeprefix("v").split(".")
    flags = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}

    def build(work: Path) -> None:
        module = _download("k8s.io/kubernetes", version)
        staging = "v0." + version.removeprefix("v1.")
        replaced = "".join(f"\t{path} => {path} {staging}\n" for path in STAGING.findall(module))
        head = MODULE.format(name="kubernetes", go=_go(module), path="k8s.io/kubernetes", version=version)
        (work / "go.mod").write_text(f"{head}\nreplace (\n{replaced})\n")
        _compile(work, source, "kubernetes", {f"{component}.{name}": value for name, value in flags.items()})
        for name in KUBERNETES:
            (work / name).symlink_to("kubernetes")

    return cache.built(f"kubernetes-{version}", (source, version), build)


def kubectl() -> Path:
    """Give kubectl of the same release."""
    return _simple("kubectl", "k8s.io/kubectl", "v0." + versions.KUBERNETES.removeprefix("v1."))


def etcd() -> Path:
    """Give etcd's binary."""
    return _simple("etcd", "go.etcd.io/etcd/server/v3", versions.ETCD)


def kwok() -> Path:
    """Give the binary of kwok, which pretends nodes and the life of their pods."""
    return _simple("kwok", "sigs.k8s.io/kwok", versions.KWOK)


def pause() -> Path:
    """Give the program that holds a pod's namespaces: it waits, and reaps what dies."""
    source = (SOURCES / "pause.go").read_text()

    def build(work: Path) -> None:
        (work / "go.mod").write_text("module rucat.test/pause\n\ngo 1.22\n")
        _compile(work, source, "pause", {})

    return cache.built("pause", (source,), build) / "pause"


def _simple(name: str, path: str, version: str) -> Path:
    source = (SOURCES / f"{name}.go").read_text()

    def build(work: Path) -> None:
        go = _go(_download(path, version))
        (work / "go.mod").write_text(MODULE.format(name=name, go=go, path=path, version=version))
        _compile(work, source, name, {})

    return cache.built(f"{name}-{version}", (source, version), build) / name


def _compile(work: Path, source: str, name: str, values: dict[str, str]) -> None:
    (work / "main.go").write_text(source)
    env = {"CGO_ENABLED": "0", "GOFLAGS": f"{os.environ.get('GOFLAGS', '')} -modcacherw -buildvcs=false".strip()}
    cache.run("go", "mod", "tidy", cwd=work, env=env)
    linked = " ".join(["-s", "-w", *(f"-X {key}={value}" for key, value in values.items())])
    cache.run("go", "build", "-trimpath", "-ldflags", linked, "-o", name, ".", cwd=work, env=env)


def _download(path: str, version: str) -> str:
    """Fetch a module; the text of its go.mod."""
    said = json.loads(cache.run("go", "mod", "download", "-json", f"{path}@{version}"))
    return Path(said["GoMod"]).read_text()


def _go(module: str) -> str:
    found = re.search(r"^go (\S+)", module, re.MULTILINE)
    return found[1] if found else "1.24"
