"""Ask a cluster which rights are missing in a namespace, and say how to grant them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ..rights import Right, needed
from .client import Api

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
"""Every user who is known may create these: they say what oneself may do, and keep nothing."""


async def missing(api: Api) -> list[Right]:
    """The rights that Rucat needs and the gateway does not have in the way's namespace; raises what the API does."""
    wanted = list(needed(api.way.namespace))
    allowed = await asyncio.gather(*(_is_allowed(api, right) for right in wanted))
    return [right for right, is_allowed in zip(wanted, allowed, strict=True) if not is_allowed]


def words(rights: Sequence[Right]) -> str:
    """Rights by resource: ``pods (create, delete), pods/log (get)``."""
    verbs: dict[str, list[str]] = {}
    for right in rights:
        part = f"/{right.subresource}" if right.subresource else ""
        verbs.setdefault(f"{right.resource}{part}", []).append(right.verb)
    return ", ".join(f"{resource} ({', '.join(each)})" for resource, each in verbs.items())


async def _is_allowed(api: Api, right: Right) -> bool:
    asked = {"namespace": api.way.namespace, "verb": right.verb, "group": "", "resource": right.resource}
    more = {"subresource": right.subresource, "name": right.name}
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {**asked, **{key: value for key, value in more.items() if value}}},
    }
    answer = await api.create(REVIEWS, body)
    return bool((answer.get("status") or {}).get("allowed"))
