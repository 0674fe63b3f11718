"""Magics and widgets of a notebook, on the API in ``client``; only IPython and this package's root load it."""
