"""The Jupyter server extension: authenticate, authorize, forward; only Jupyter servers import it."""
