"""Facts of this machine: Java, pyspark, memory, ports, kubeconfig; platforms, ``client`` and ``checkup`` import it."""
