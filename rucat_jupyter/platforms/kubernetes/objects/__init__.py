"""The objects of one run, as manifests; pure; for this platform alone."""
