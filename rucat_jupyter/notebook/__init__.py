"""The kernel side: magics, Python API, sessions; loads nothing of the server side."""
