"""Our figures beside their raw baselines, measured in the same run; `make bench` runs them."""
