import { join } from 'node:path';
import type { Delivery } from '../../delivery/rollout/index.ts';
import { UserError } from '../../lib/errors.ts';
import { readTextIfThere, writeFileAtomic } from '../../lib/files.ts';

export interface EngineChoice {
  /** `embedded` or `unix:///path`. */
  readonly engine: string;
  /** `<root>/delivery`. */
  readonly directory: string;
  readonly delivery: Pick<Delivery, 'projects' | 'releases' | 'ledgers'>;
}

/**
 * A root keeps the engine that its projects run on: it notes the engine it drives, and another one is refused while
 * anything runs on the first. Call it before `Delivery.resume`.
 * @throws UserError `engine-switched`
 */
export async function keepEngine({ engine, directory, delivery }: EngineChoice): Promise<void> {
  const path = join(directory, 'engine');
  const before = (await readTextIfThere(path))?.trim();
  if (before === engine) return;
  const standing = before === undefined ? [] : await standingProjects(delivery);
  if (before !== undefined && standing.length > 0) throw switched({ before, engine, standing, path });
  await writeFileAtomic(path, `${engine}\n`);
}

const STANDS = new Set(['current', 'warm', 'candidate']);

async function standingProjects(delivery: EngineChoice['delivery']): Promise<readonly string[]> {
  const projects = await Promise.all(
    delivery.projects().map(async (project) => {
      const releases = await delivery.releases(project);
      const [latest] = await delivery.ledgers(project);
      return releases.some(({ state }) => STANDS.has(state)) || latest?.result === 'running' ? [project] : [];
    }),
  );
  return projects.flat();
}

function switched(o: {
  readonly before: string;
  readonly engine: string;
  readonly standing: readonly string[];
  readonly path: string;
}): UserError {
  const { before, engine, standing } = o;
  return new UserError({
    code: 'engine-switched',
    kind: 'conflict',
    message: `${standing.join(', ')} run${standing.length === 1 ? 's' : ''} on the engine ${before}; the daemon was to drive ${engine}`,
    fix:
      `Keep it: \`bascule daemon config set engine ${before}\` (or --engine ${before}). To change it, start the daemon with the old one and take down what runs ` +
      `(\`bascule -p ${standing[0] ?? ''} down\`). If the old engine is gone for good, remove ${o.path}.`,
    details: { before, engine, projects: standing },
  });
}
