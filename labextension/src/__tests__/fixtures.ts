/**
 * Engines as REST shows them, for tests.
 */
import type { IEngine } from '../tokens';

/** The current time of the tests. */
export const NOW = Date.parse('2026-03-01T12:00:00Z');

/** Attempts of injection: each must be shown as text. */
export const HOSTILE = {
  html: '<img src=x onerror="window.hacked=1">',
  script: 'javascript:alert(1)',
  ansi: '\u001b[31mred\u001b[0m',
  rtl: 'safe\u202egnp.exe'
};

/** A running engine; `changes` override its fields. */
export function engine(given: Partial<IEngine> = {}): IEngine {
  const name = given.name ?? 'etl';
  return {
    id: `id-${name}`,
    name,
    owner: 'me',
    platform: 'local',
    profile: 'local',
    spec: { driver: { cores: 2, memory: '2g' }, executors: {}, conf: {}, idle_timeout_s: 3600 },
    state: 'Running',
    target: 'Running',
    run: 1,
    status: 'Running',
    message: '',
    failure: null,
    endpoint: { url: 'sc://localhost:15002', ui_url: `rucat/engines/id-${name}/ui/` },
    site: 'here',
    spark_version: '4.3.0',
    python_version: '3.11',
    verbs: ['stop', 'restart', 'delete'],
    executors: { wanted: 0, running: 0, pending: 0, failed: 0, reasons: [] },
    sessions: [],
    created_at: '2026-03-01T10:00:00Z',
    started_at: '2026-03-01T10:00:05Z',
    stopped_at: null,
    last_used_at: '2026-03-01T11:56:00Z',
    revision: 3,
    ...given
  };
}

/** One that failed. */
export function failed(reason: string, message: string, given: Partial<IEngine> = {}): IEngine {
  return engine({
    status: 'Failed',
    state: 'Stopped',
    verbs: ['restart', 'delete'],
    stopped_at: '2026-03-01T11:57:00Z',
    endpoint: null,
    failure: { reason, message, hint: 'Do something.', at: '2026-03-01T11:57:00Z' },
    ...given
  });
}
