"""Builds Kubernetes with kubectl and etcd, kwok, and the pause program from Go modules."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

from . import cache, versions

SOURCES = Path(__file__).parent / "go"
STAGING = re.compile(r"^\t(k8s\.io/\S+) => \./staging", re.MULTILINE)
GO = "1.24"
NAMES = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "kubectl")


def missing() -> str | None:
    """Say in one line why nothing can be built here, or nothing."""
    if shutil.which("go") is None:
        return "go is not on PATH (Go 1.24 or newer builds Kubernetes)"
    return None


def kubernetes() -> Path:
    """Give a folder with Kubernetes' processes, etcd and kubectl: one binary under all their names, linked once."""
    version = versions.KUBERNETES
    source = (SOURCES / "kubernetes.go").read_text()
    required = {"k8s.io/kubernetes": version, "go.etcd.io/etcd/server/v3": versions.ETCD}
    component = "k8s.io/component-base/version"
    major, minor, _ = version.removeprefix("v").split(".")
    flags = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}

    def build(work: Path) -> None:
        staging = "v0." + version.removeprefix("v1.")
        replaced = dict.fromkeys(STAGING.findall(_download("k8s.io/kubernetes", version)), staging)
        _write_module(work, required, replaced)
        _compile(work, source, "kubernetes", {f"{component}.{name}": value for name, value in flags.items()})
        for name in NAMES:
            (work / name).symlink_to("kubernetes")

    return cache.built(f"kubernetes-{version}", (source, *required.values()), build)


def kwok() -> Path:
    """Give the binary of kwok, which pretends nodes and the life of their pods."""
    source = (SOURCES / "kwok.go").read_text()

    def build(work: Path) -> None:
        _write_module(work, {"sigs.k8s.io/kwok": versions.KWOK}, {})
        _compile(work, source, "kwok", {})

    return cache.built(f"kwok-{versions.KWOK}", (source, versions.KWOK), build) / "kwok"


def pause() -> Path:
    """Give the program that holds a pod's namespaces: it waits, and reaps what dies."""
    source = (SOURCES / "pause.go").read_text()

    def build(work: Path) -> None:
        _write_module(work, {}, {})
        _compile(work, source, "pause", {})

    return cache.built("pause", (source,), build) / "pause"


def _write_module(work: Path, required: dict[str, str], replaced: dict[str, str]) -> None:
    lines = ["module rucat.test/built", f"go {GO}"]
    lines += [f"require {path} {version}" for path, version in required.items()]
    lines += [f"replace {path} => {path} {version}" for path, version in replaced.items()]
    (work / "go.mod").write_text("\n\n".join(lines) + "\n")


def _compile(work: Path, source: str, name: str, values: dict[str, str]) -> None:
    (work / "main.go").write_text(source)
    # Not `go mod tidy`: it fetches what only the tests of all these modules need.
    flags = f"{os.environ.get('GOFLAGS', '')} -mod=mod -modcacherw -buildvcs=false"
    env = {"CGO_ENABLED": "0", "GOFLAGS": flags.strip()}
    linked = " ".join(["-s", "-w", *(f"-X {key}={value}" for key, value in values.items())])
    cache.run("go", "build", "-trimpath", "-ldflags", linked, "-o", name, ".", cwd=work, env=env)


def _download(path: str, version: str) -> str:
    """Fetch a module; the text of its go.mod."""
    said = json.loads(cache.run("go", "mod", "download", "-json", f"{path}@{version}"))
    return Path(said["GoMod"]).read_text()
