"""All versions of the test cluster: a change rebuilds everything that depends on it."""

KUBERNETES = "v1.34.4"
ETCD = "v3.6.16"
KWOK = "v0.7.0"
SURREAL = "3.3.0"
DEBIAN = "bookworm"
SPARK = ("4.3.0", "4.1.4")
PYARROW = "pyarrow>=18"
PANDAS = "pandas>=2.2,<3"
