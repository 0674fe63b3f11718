"""Moves secrets from an engine's spec into its credential; a mask stays in the spec."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import unquote

from .engine import Credential
from .field_errors import Wrong, dotted
from .spec import MASK, EngineSpec, is_secret

LOCAL_HOST = "localhost"
"""The only host to which Spark's client sends a ``token`` without TLS (pyspark's ChannelBuilder)."""


def wrong_masks(spec: EngineSpec) -> list[Wrong]:
    """Secret fields that contain the mask: the output of REST was sent back, and would overwrite the secret."""
    fields = [("conf", key) for key, value in spec.conf.items() if value == MASK and is_secret(key)]
    fields += [("env", key) for key, value in spec.env.items() if value == MASK and is_secret(key)]
    fields += [("secret_env", key) for key, value in spec.secret_env.items() if value == MASK]
    fields += [("external", "token")] if spec.external.token == MASK else []
    return [(dotted(path), f"{MASK!r} is the mask of a secret that is not shown: enter the value") for path in fields]


def split(spec: EngineSpec, new_token: Callable[[], str]) -> tuple[EngineSpec, Credential]:
    """Split a spec into one with masks instead of secrets, and the credential with the secrets.

    A variable that is also in ``env`` is dropped from ``secret_env``: a value set by the user wins over one that the
    kernel sends automatically. ``new_token`` makes the token of an engine that Rucat starts.
    """
    secret_env = {key: value for key, value in spec.secret_env.items() if key not in spec.env}
    conf = {key: value for key, value in spec.conf.items() if is_secret(key)}
    env = {key: value for key, value in spec.env.items() if is_secret(key)} | secret_env
    token = spec.external.token if spec.external.url else new_token()
    update: dict[str, object] = {
        "conf": _masked(spec.conf),
        "env": _masked(spec.env),
        "secret_env": dict.fromkeys(secret_env, MASK),
        "external": spec.external.model_copy(update={"token": MASK}) if spec.external.token else spec.external,
    }
    changed = {name: value for name, value in update.items() if value != getattr(spec, name)}
    return spec.model_copy(update=changed), Credential(token=token or "", conf=conf, env=env)


def move_url_token(spec: EngineSpec) -> EngineSpec:
    """Move the token of an external address (``;token=…``, ``;authorization=Bearer …``) to ``external.token``.

    With a ``token`` in the address Spark's client uses TLS, except to ``localhost``: ``use_ssl`` preserves that.
    """
    head, separator, tail = (spec.external.url or "").partition("/;")
    if not separator:
        return spec
    token, kept = spec.external.token, []
    for part in filter(None, tail.split(";")):
        key, _, value = part.partition("=")
        if key == "token":
            token = unquote(value)
            kept += [] if head.removeprefix("sc://").split(":")[0] == LOCAL_HOST else ["use_ssl=true"]
        elif key == "authorization":
            token = unquote(value).removeprefix("Bearer ")
        else:
            kept.append(part)
    url = head + ("/;" + ";".join(dict.fromkeys(kept)) if kept else "")
    return spec.model_copy(update={"external": spec.external.model_copy(update={"url": url, "token": token})})


def masked(fragment: Mapping[str, object]) -> dict[str, object]:
    """Return a valid fragment of a spec with masks instead of its secrets, for output."""
    whole = EngineSpec.model_validate(fragment)
    shown, _ = split(whole, str)
    return shown.model_dump(mode="json", exclude_unset=True)


def _masked(values: Mapping[str, str]) -> dict[str, str]:
    return {key: MASK if is_secret(key) else value for key, value in values.items()}
