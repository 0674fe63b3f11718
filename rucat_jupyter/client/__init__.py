"""The Python API of kernels, scripts and the command line; ``notebook``, ``cli`` and ``checkup`` import it."""
