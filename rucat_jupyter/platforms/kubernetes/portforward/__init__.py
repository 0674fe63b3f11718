"""Ways from this machine to a driver's port through the API server; for this platform alone."""
