"""What an error of the HTTP library says of the way to an API server, in words that name what to check; pure."""

from __future__ import annotations

import ssl


def words(exc: BaseException, server: str) -> str:
    """One line about a call that got no response."""
    import aiohttp  # noqa: PLC0415 - heavy; loaded with the first call of a cluster

    if isinstance(exc, aiohttp.ClientConnectorCertificateError):
        said = getattr(exc.certificate_error, "verify_message", "") or line(exc.certificate_error)
        check = "check certificate-authority, server and tls-server-name in the kubeconfig"
        return f"the certificate of {server} is not accepted: certificate verify failed, {said}; {check}"
    if isinstance(exc, aiohttp.ClientHttpProxyError):
        login = "; it wants a user and password in its URL" if exc.status == 407 else ""
        return f"the proxy before {server} answers {exc.status} {exc.message}{login}: check HTTPS_PROXY and proxy-url"
    if isinstance(exc, aiohttp.ClientProxyConnectionError):
        return f"the proxy before {server} cannot be reached: {line(exc)}; check HTTPS_PROXY and proxy-url"
    if isinstance(exc, aiohttp.ClientConnectorDNSError):
        return f"the host name of {server} cannot be resolved: {line(exc)}; check server in the kubeconfig"
    if isinstance(exc, (aiohttp.ClientSSLError, ssl.SSLError)):
        return f"no TLS connection to {server}: {line(exc)}; check server and the certificates in the kubeconfig"
    return f"{server} does not answer: {line(exc)}"


def line(exc: BaseException) -> str:
    """An error as one line."""
    return " ".join(str(exc).split())[:300] or type(exc).__name__
