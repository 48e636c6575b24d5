import type { Command } from 'commander';
import { scopeOf } from '../../lib/scope.ts';
import { UserError } from '../../lib/errors.ts';
import { createRegistryAdministration, type RegistryAdministration } from '../../server/client/index.ts';
import type { AddCommand, RunAction } from '../command.ts';
import { formatAge, formatBytes, renderTable } from '../output/table.ts';
import type { Session } from '../session.ts';
import { addRegistryUser } from './registry-user.ts';

export const addRegistry: AddCommand = (program, run) => {
  const registry = program
    .command('registry')
    .summary('serve and look after a registry of images')
    .description(
      'A registry of the OCI Distribution Specification. The daemon serves one where `registry.listen` says so\n' +
        '(`bascule daemon config set registry.listen 127.0.0.1:5000`); `registry serve` runs one alone. docs/registry.md.',
    );
  addServe(registry, run);
  addLooks(registry, run);
  addRemovals(registry, run);
  addRegistryUser(registry, run);
};

function addServe(registry: Command, run: RunAction): void {
  registry
    .command('serve')
    .summary('serve a registry alone, in the foreground until SIGTERM')
    .description('Needs no daemon: its folder is ROOT/registry, its configuration `registry` in ROOT/config.yaml.')
    .option('--listen <address>', 'HOST:PORT; default: registry.listen, else 127.0.0.1:5000')
    .action(
      run(async (session, options: { listen?: string }) => {
        const { root, launch } = session;
        await session.host.registry.serve({ root, listen: options.listen, logLevel: launch.logLevel });
        return 0;
      }),
    );
  registry.command('status').summary('say where it listens and how much there is').action(run(status));
}

async function status(session: Session): Promise<number> {
  const found = await administration(session).status();
  if (session.json) {
    session.printJson(found);
    return 0;
  }
  const rows: readonly (readonly [string, string])[] = [
    ['address', found.address === '' ? 'none: registry.listen is not set' : found.address],
    ['storage', found.sharesEngine ? `${found.storage}, shared with the engine` : found.storage],
    ['authentication', found.authentication],
    ['without password', found.anonymous.length === 0 ? 'nothing' : found.anonymous.join(', ')],
    ['read-only', found.readOnly ? 'yes' : 'no'],
    ['metrics', found.metrics === undefined ? 'none' : `${found.metrics}/metrics`],
    ['repositories', `${found.repositories} with ${found.tags} tags and ${found.manifests} manifests`],
    ['blobs', `${found.blobs}, ${found.sharedBlobs} of them the engine's, ${formatBytes(found.blobBytes)} here`],
    ['uploads', String(found.uploads)],
  ];
  session.print(rows.map(([name, value]) => `${name.padEnd(17)} ${value}\n`).join(''));
  return 0;
}

function addLooks(registry: Command, run: RunAction): void {
  registry
    .command('ls')
    .summary('list the repositories')
    .action(
      run(async (session) => {
        const names = await administration(session).repositories();
        if (session.json) session.printJson(names);
        else session.print(names.map((name) => `${name}\n`).join(''));
        return 0;
      }),
    );
  registry
    .command('tags')
    .summary('list the tags of a repository')
    .argument('<repository>', 'for example team/app')
    .action(
      run(async (session, repository: string) => {
        const tags = await administration(session).tags(repository);
        const now = new Date();
        const rows = tags.map(({ tag, digest, updatedAt }) => [tag, digest, formatAge(new Date(updatedAt), now)]);
        if (session.json) session.printJson(tags);
        else session.print(renderTable(['TAG', 'DIGEST', 'PUSHED'], rows));
        return 0;
      }),
    );
}

function addRemovals(registry: Command, run: RunAction): void {
  registry
    .command('rm')
    .summary('remove a tag, or a manifest with all its tags')
    .argument('<references...>', 'REPOSITORY:TAG, or REPOSITORY@DIGEST')
    .action(
      run(async (session, references: string[]) => {
        for (const text of references) {
          const { repository, reference } = splitReference(text);
          await administration(session).remove(repository, reference);
          if (!session.json) session.print(`${text}\n`);
        }
        if (session.json) session.printJson(references);
        return 0;
      }),
    );
  registry
    .command('gc')
    .summary('delete what no manifest needs; pushes may go on meanwhile')
    .option('--dry-run', 'only tell')
    .option('--untagged', 'also manifests to which no tag leads')
    .action(run((session, options: { dryRun?: boolean; untagged?: boolean }) => collectGarbage(session, options)));
}

async function collectGarbage(session: Session, o: { dryRun?: boolean; untagged?: boolean }): Promise<number> {
  const dryRun = o.dryRun ?? false;
  const found = await administration(session).collect({ dryRun, untagged: o.untagged ?? false });
  const { manifests, blobs, freedBytes, uploads, repositories } = found;
  if (session.json) session.printJson(found);
  else
    session.print(
      `${dryRun ? 'would delete' : 'deleted'} ${manifests} manifests, ${blobs} blobs, ${uploads} uploads and ` +
        `${repositories} empty repositories: ${formatBytes(freedBytes)}\n`,
    );
  return 0;
}

function splitReference(text: string): { readonly repository: string; readonly reference: string } {
  const at = text.indexOf('@');
  const cut = at < 0 ? text.lastIndexOf(':') : at;
  if (cut > 0 && cut < text.length - 1) return { repository: text.slice(0, cut), reference: text.slice(cut + 1) };
  throw new UserError({
    code: 'registry-reference-invalid',
    kind: 'invalid',
    message: `"${text}" names neither a tag nor a digest`,
    fix: 'Write REPOSITORY:TAG, or REPOSITORY@sha256:…; `bascule registry tags REPOSITORY` lists them.',
  });
}

function administration(session: Session): RegistryAdministration {
  return createRegistryAdministration(scopeOf(session.root).runDirectory);
}
