"""Benchmarks of Rucat beside raw baselines, measured in the same run; `make bench` runs them."""
