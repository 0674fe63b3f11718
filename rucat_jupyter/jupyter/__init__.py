"""The Jupyter server extension: authenticate, authorize, forward."""
