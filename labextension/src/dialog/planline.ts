/**
 * Summarises a plan in one line: the requested resources, or why a create is not possible.
 */
import type { TranslationBundle } from '@jupyterlab/translation';

import type { IPlan, Json } from '../tokens';
import type { Planned } from './model';
import type { Wrong } from './values';

/** The line of a plan, and its warnings. */
export interface IPlanWords {
  line: string;
  warnings: string[];
}

/** The plan as text; `seen` contains the errors that fields show already, which are not repeated. */
export function plannedWords(
  planned: Planned,
  seen: Wrong,
  label: (path: string) => string,
  trans: TranslationBundle
): IPlanWords {
  if (planned.kind === 'plan') {
    return planWords(planned.plan, trans);
  }
  if (planned.kind === 'asking') {
    return { line: trans.__('Calculating resources…'), warnings: [] };
  }
  const paths = Object.keys(planned.at);
  const [shown, hidden] = [true, false].map(is => paths.filter(path => path in seen === is));
  const line = trans.__('Cannot be created yet');
  return {
    line: shown.length ? `${line}: ${shown.map(label).join(', ')}` : line,
    warnings: [...hidden.map(path => `${label(path)}: ${planned.at[path]}`), ...planned.rest]
  };
}

/** A plan in words. */
export function planWords(plan: IPlan, trans: TranslationBundle): IPlanWords {
  const warnings = [...existing(plan, trans), ...plan.warnings];
  if (plan.blueprint) {
    return { line: ofBlueprint(plan.blueprint, plan, trans), warnings };
  }
  if (plan.outline) {
    return { line: ofOutline(plan.outline, trans), warnings };
  }
  return { line: ofSpec(plan, trans), warnings };
}

function ofBlueprint(found: Json, plan: IPlan, trans: TranslationBundle): string {
  const pods = (found.objects as Json[])
    .filter(each => each.kind === 'Pod')
    .reduce((sum, each) => sum + each.count, 0);
  const asked = [
    trans._n('%1 pod', '%1 pods', pods),
    trans.__('%1 cores', found.cores),
    gb(found.memory_mb)
  ].join(', ');
  const place = plan.spec.kubernetes?.namespace ?? found.place;
  const line = trans.__('%1 in %2', asked, place);
  const left = leftOf(found.headroom, trans);
  return left ? `${line}; ${left}` : line;
}

/** Memory and cores that the quotas leave, before this engine is created. */
function leftOf(rows: Json[], trans: TranslationBundle): string {
  const left = (names: string[]) => {
    const rest = rows
      .filter(row => names.includes(row.resource))
      .map(row => Math.max(0, parseFloat(row.hard) - parseFloat(row.used)));
    return rest.length ? Math.min(...rest) : null;
  };
  const memory = left(['requests.memory', 'limits.memory', 'memory']);
  const cores = left(['requests.cpu', 'cpu']);
  const parts = [
    ...(cores === null ? [] : [trans.__('%1 cores', number(cores))]),
    ...(memory === null ? [] : [`${number(memory)} GB`])
  ];
  return parts.length ? trans.__('remaining quota: %1', parts.join(', ')) : '';
}

function ofOutline(found: Json, trans: TranslationBundle): string {
  return trans.__(
    '%1 of %2, %3 of %4 free on this machine',
    found.cores,
    trans._n('%1 core', '%1 cores', found.cores_offered),
    gb(found.needed_mb),
    gb(found.free_mb)
  );
}

function ofSpec(plan: IPlan, trans: TranslationBundle): string {
  if (plan.platform === 'external') {
    const where = String(plan.spec.external?.url ?? '');
    return trans.__('Rucat starts nothing: it only monitors the external Spark server %1.', where);
  }
  return trans.__('One engine on %1', plan.platform);
}

function existing(plan: IPlan, trans: TranslationBundle): string[] {
  if (!plan.exists) {
    return [];
  }
  const { name, status } = plan.exists;
  return [trans.__('%1 already exists (%2). Attach to it, or choose another name.', name, status)];
}

function gb(mb: number): string {
  return `${number(mb / 1024)} GB`;
}

/** One decimal, none for a whole number. */
function number(value: number): string {
  return String(Math.round(value * 10) / 10);
}
