#!/bin/sh
# The engine image's entry point, for what Spark on Kubernetes asks of one: `executor`, or any other command as it is.
# The settings come in the environment, as Spark's own image takes them.
set -eu
if [ "${1:-}" != executor ]; then
    exec /usr/bin/tini -s -- "$@"
fi
shift
# Each SPARK_JAVA_OPT_<n> is one option of the JVM; sorted by its number, blanks kept.
set --
for n in $(env | sed -n 's/^SPARK_JAVA_OPT_\([0-9]*\)=.*/\1/p' | sort -n); do
    eval "set -- \"\$@\" \"\$SPARK_JAVA_OPT_$n\""
done
exec /usr/bin/tini -s -- "$JAVA_HOME/bin/java" "$@" \
    "-Xms$SPARK_EXECUTOR_MEMORY" "-Xmx$SPARK_EXECUTOR_MEMORY" \
    -cp "${SPARK_CLASSPATH:-}:$SPARK_HOME/jars/*" \
    org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend \
    --driver-url "$SPARK_DRIVER_URL" \
    --executor-id "$SPARK_EXECUTOR_ID" \
    --cores "$SPARK_EXECUTOR_CORES" \
    --app-id "$SPARK_APPLICATION_ID" \
    --hostname "$SPARK_EXECUTOR_POD_IP" \
    --resourceProfileId "$SPARK_RESOURCE_PROFILE_ID" \
    --podName "$SPARK_EXECUTOR_POD_NAME"
