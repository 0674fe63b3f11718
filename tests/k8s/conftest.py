"""Tests on a real Kubernetes cluster."""

from support.cluster import (  # noqa: F401 - fixtures
    api_server,
    cluster,
    kwok_node,
    namespace,
    new_namespace,
    own_cluster,
    real_surreal,
    restricted_namespace,
    surreal_url,
)
