"""The cluster's API: requests, access, mirrored objects, port-forwards' rights; for this platform alone."""
