import { nearestWord } from '../../lib/nearest.ts';
import type { Fail } from './draft.ts';
import type { CohortSettings, ProjectSettings, ServiceSettings } from './project-settings.ts';
import type { Project } from './project.ts';
import { addressRange } from './settings-values.ts';

/** Checks what no key of `x-bascule` shows by itself: references and contradictions. Throws `compose-invalid`. */
export function checkSettings({ settings, services }: Project, fail: Fail): void {
  checkJobs(settings, Object.keys(services), fail);
  checkCanary(settings, fail);
  checkGuards(settings, fail);
  for (const [name, service] of Object.entries(services)) checkTls(name, service.settings, fail);
}

function checkJobs({ jobs }: ProjectSettings, services: readonly string[], fail: Fail): void {
  for (const [name, { service, at, migration }] of Object.entries(jobs)) {
    const path = ['x-bascule', 'jobs', name];
    if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name)) {
      const fix = 'Use letters, digits, "_", "." and "-": its container has this name.';
      throw fail(path, `"${name}" cannot be the name of a job`, fix);
    }
    if (!services.includes(service)) {
      const near = nearestWord(service, services);
      const fix =
        near === undefined ? 'Name a service of this file: the job runs its image.' : `Did you mean "${near}"?`;
      throw fail([...path, 'service'], `there is no service "${service}"`, fix);
    }
    if (migration === 'contract' && at !== 'after-switch') {
      throw fail(
        [...path, 'migration'],
        `a migration that contracts runs "after-switch": at "${at}" the old release still needs what it takes away`,
        'Say `at: after-switch`, or `migration: expand` if it only adds.',
      );
    }
  }
}

function checkCanary({ canary }: ProjectSettings, fail: Fail): void {
  const path = ['x-bascule', 'canary'];
  for (const [index, step] of canary.steps.entries()) {
    const before = canary.steps[index - 1]?.weight ?? 0;
    if (step.weight >= before) continue;
    throw fail(
      [...path, 'steps', index, 'weight'],
      `${step.weight / 100}% is less than the step before has (${before / 100}%)`,
      'Let the weights grow from step to step.',
    );
  }
  for (const [index, cohort] of canary.cohorts.entries()) {
    const wrong = wrongNetwork(cohort);
    if (wrong === undefined) continue;
    const fix = 'Write an address, or a network such as 10.0.0.0/8 or 2001:db8::/32.';
    throw fail([...path, 'cohorts', index, 'address'], `"${wrong}" is not an address range`, fix);
  }
}

function wrongNetwork(cohort: CohortSettings): string | undefined {
  return cohort.kind === 'address'
    ? cohort.networks.find((network) => !addressRange.safeParse(network).success)
    : undefined;
}

function checkGuards({ analysis }: ProjectSettings, fail: Fail): void {
  checkGuardNames(analysis, fail);
  for (const [index, { max, min }] of analysis.queries.entries()) {
    if (max !== undefined || min !== undefined) continue;
    throw fail(
      ['x-bascule', 'analysis', 'queries', index],
      'the query has no threshold',
      'Add `max:` or `min:`, or both.',
    );
  }
}

/** `instances` is the guard that every rollout has. */
function checkGuardNames({ queries, commands }: ProjectSettings['analysis'], fail: Fail): void {
  const known = new Set(['instances']);
  for (const [key, guards] of Object.entries({ queries, commands })) {
    for (const [index, { name }] of guards.entries()) {
      const path = ['x-bascule', 'analysis', key, index, 'name'];
      if (known.has(name)) throw fail(path, `there is another guard "${name}"`, 'Give each of them a name of its own.');
      known.add(name);
    }
  }
}

function checkTls(name: string, { tls, route }: ServiceSettings, fail: Fail): void {
  if (tls === undefined) return;
  const path = ['services', name, 'x-bascule', 'tls'];
  const files = [tls.certificate, tls.key].filter((file) => file !== undefined).length;
  if (files === 1) throw fail(path, 'certificate and key belong together', 'Give both files, or `acme: true`.');
  if (files === 2 && tls.acme === true) {
    throw fail(path, 'own files and acme exclude each other', 'Keep `acme: true`, or the two files.');
  }
  if (files === 0 && tls.acme !== true) {
    throw fail(path, 'there is no certificate', 'Give `certificate:` and `key:`, or `acme: true`.');
  }
  if (tls.acme === true && (route?.host === undefined || route.host.startsWith('*'))) {
    throw fail(
      [...path, 'acme'],
      'ACME needs to know the host name',
      'Add `route: {host: www.example.org}` beside it.',
    );
  }
}
