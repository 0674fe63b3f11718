"""Makes a cluster's certificates and keys with openssl: an authority, the API server's pairs, the token key."""

from __future__ import annotations

from pathlib import Path

from . import cache

DAYS = "30"
EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def make(folder: Path, addresses: tuple[str, ...]) -> None:
    """Make ``ca``, ``server``, ``kubelet-client`` (.crt and .key) and ``accounts.key`` in a folder."""
    folder.mkdir(mode=0o700)
    authority = ("-x509", "-days", DAYS, "-addext", "basicConstraints=critical,CA:TRUE")
    usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
    subject = ("-subj", "/CN=rucat-test-authority")
    cache.run(
        "openssl", "req", *EC, *authority, *usage, *subject, "-keyout", folder / "ca.key", "-out", folder / "ca.crt"
    )
    names = ["DNS:localhost", "DNS:kubernetes", "DNS:kubernetes.default", "DNS:kubernetes.default.svc"]
    names += [f"IP:{address}" for address in addresses]
    _signed(folder, "server", "/CN=kube-apiserver", f"subjectAltName={','.join(names)}\nextendedKeyUsage=serverAuth\n")
    _signed(folder, "kubelet-client", "/O=system:masters/CN=apiserver", "extendedKeyUsage=clientAuth\n")
    cache.run("openssl", "genrsa", "-out", folder / "accounts.key", "2048")


def _signed(folder: Path, name: str, subject: str, extensions: str) -> None:
    request, key, extra = folder / f"{name}.csr", folder / f"{name}.key", folder / f"{name}.ext"
    extra.write_text(extensions)
    cache.run("openssl", "req", *EC, "-subj", subject, "-keyout", key, "-out", request)
    by = ("-CA", folder / "ca.crt", "-CAkey", folder / "ca.key", "-CAcreateserial", "-days", DAYS, "-extfile", extra)
    cache.run("openssl", "x509", "-req", "-in", request, *by, "-out", folder / f"{name}.crt")
