"""A real Kubernetes cluster and a real SurrealDB server for tests, built on this machine, torn down to nothing."""
