import { UserError } from '../../../lib/errors.ts';
import type { Project } from '../../compose/index.ts';
import type { PlannedPort } from './plan.ts';

/** @throws UserError `tls-port-missing` for a service with `tls` of which no port speaks it */
export function requireTlsPorts(project: Project, ports: readonly PlannedPort[]): void {
  for (const [name, { settings }] of Object.entries(project.services)) {
    const { tls } = settings;
    if (tls === undefined || ports.some((port) => port.service === name && port.tls === true)) continue;
    const wanted = tls.ports?.join(' or ') ?? '443 or 8443';
    throw new UserError({
      code: 'tls-port-missing',
      kind: 'invalid',
      message: `services.${name}.x-bascule.tls: none of the ports that it publishes for HTTP speaks TLS: it would be ${wanted}`,
      fix: 'Publish one, for example ports: ["443:80"], or name those that you publish in tls.ports.',
      details: { service: name },
    });
  }
}
