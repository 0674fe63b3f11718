"""Starts etcd, the API server, the controller manager and the scheduler, and waits for them."""

from __future__ import annotations

import json
import secrets
import ssl
import time
from base64 import b64encode
from pathlib import Path

import httpx

from . import binaries, cache, certificates, spaces
from .layout import API_SERVICE, PODS, SERVICES, Layout

READY_LIMIT_S = 60.0
LOOK_S = 0.1


def prepare(layout: Layout) -> None:
    """Make certificates, the administrator's token and kubeconfig."""
    certificates.make(layout.certificates, ("127.0.0.1", layout.inside, API_SERVICE))
    token = secrets.token_hex(16)
    (layout.folder / "tokens.csv").write_text(f"{token},admin,admin,system:masters\n")
    cluster = {"server": layout.server, "certificate-authority-data": _base64(layout.certificates / "ca.crt")}
    context = {"cluster": "rucat", "user": "admin", "namespace": "default"}
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "rucat", "cluster": cluster}],
        "users": [{"name": "admin", "user": {"token": token}}],
        "contexts": [{"name": "rucat", "context": context}],
        "current-context": "rucat",
    }
    layout.kubeconfig.write_text(json.dumps(kubeconfig, indent=1))
    layout.kubeconfig.chmod(0o600)


def start(layout: Layout) -> None:
    """Start the control plane: etcd first, the others find each other by themselves."""
    folder = layout.folder / "etcd"
    spaces.start_process(
        layout,
        "etcd",
        [
            binaries.kubernetes() / "etcd",
            f"--data-dir={folder}",
            "--unsafe-no-fsync",
            "--listen-client-urls=http://127.0.0.1:2379",
            "--advertise-client-urls=http://127.0.0.1:2379",
            "--listen-peer-urls=http://127.0.0.1:2380",
            "--log-level=warn",
        ],
    )
    start_api_server(layout)
    made, keys = binaries.kubernetes(), layout.certificates
    access = (f"--kubeconfig={layout.kubeconfig}", "--leader-elect=false")
    controllers = (
        f"--root-ca-file={keys / 'ca.crt'}",
        f"--service-account-private-key-file={keys / 'accounts.key'}",
        f"--service-cluster-ip-range={SERVICES}",
        f"--cluster-cidr={PODS}",
        "--allocate-node-cidrs=false",
    )
    spaces.start_process(layout, "kube-controller-manager", [made / "kube-controller-manager", *access, *controllers])
    spaces.start_process(layout, "kube-scheduler", [made / "kube-scheduler", *access])


def start_api_server(layout: Layout) -> None:
    """Start the API server alone."""
    keys = layout.certificates
    spaces.start_process(
        layout,
        "kube-apiserver",
        [
            binaries.kubernetes() / "kube-apiserver",
            "--etcd-servers=http://127.0.0.1:2379",
            f"--secure-port={layout.port}",
            f"--advertise-address={layout.inside}",
            f"--tls-cert-file={keys / 'server.crt'}",
            f"--tls-private-key-file={keys / 'server.key'}",
            f"--client-ca-file={keys / 'ca.crt'}",
            f"--token-auth-file={layout.folder / 'tokens.csv'}",
            "--authorization-mode=Node,RBAC",
            f"--kubelet-client-certificate={keys / 'kubelet-client.crt'}",
            f"--kubelet-client-key={keys / 'kubelet-client.key'}",
            "--kubelet-preferred-address-types=InternalIP",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={keys / 'accounts.key'}",
            f"--service-account-signing-key-file={keys / 'accounts.key'}",
            f"--service-cluster-ip-range={SERVICES}",
        ],
    )


def wait(layout: Layout, path: str = "/readyz", accept: object = None) -> dict[str, object]:
    """Wait until the API server answers a path; with `accept`, until that says yes to the answer."""
    until = time.monotonic() + READY_LIMIT_S
    with client(layout) as api:
        while True:
            try:
                answer = api.get(path)
                said = answer.text[:200]
                if answer.status_code == 200:
                    body = answer.json() if path.startswith("/api") else {}
                    if not callable(accept) or accept(body):
                        return body
            except httpx.TransportError as exc:
                said = str(exc)
            if time.monotonic() > until:
                raise cache.CannotBuild(f"{path} of the cluster is not ready after {READY_LIMIT_S:.0f} s: {said}")
            time.sleep(LOOK_S)


def client(layout: Layout) -> httpx.Client:
    """Make a client of the API server as administrator."""
    kubeconfig = json.loads(layout.kubeconfig.read_text())
    headers = {"Authorization": f"Bearer {kubeconfig['users'][0]['user']['token']}"}
    trust = ssl.create_default_context(cafile=str(layout.certificates / "ca.crt"))
    return httpx.Client(base_url=layout.server, headers=headers, verify=trust, trust_env=False, timeout=10)


def _base64(path: Path) -> str:
    return b64encode(path.read_bytes()).decode()
