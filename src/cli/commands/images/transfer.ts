import type { Command } from 'commander';
import { findLogin, loginPlaceOf, type RegistryLogin } from '../../../lib/docker-config/index.ts';
import { parseReference } from '../../../lib/oci/index.ts';
import type { TransferResult } from '../../../server/client/index.ts';
import type { RunAction } from '../../command.ts';
import { transferProgressOn } from '../../output/transfer.ts';
import type { Session } from '../../session.ts';

/** `image pull` and `image push`. */
export function addTransfer(image: Command, run: RunAction): void {
  image
    .command('pull')
    .summary('pull images from their registries')
    .description(
      'A name without a registry is one of Docker Hub. Logins are those of `bascule login` and `docker login`.\n' +
        'What was broken off is taken up where it was; layers that are here already are not fetched.',
    )
    .argument('<references...>', 'for example debian:bookworm, registry.example.org/team/app@sha256:…')
    .option('--platform <os/architecture>', 'for another platform than this machine, e.g. linux/arm64')
    .action(
      run((session, references: string[], options: { platform?: string }) =>
        transferAll(session, references, async (reference, o) => {
          const client = await session.connect();
          return await client.pullImage({ ...o.body, reference, ...options }, o);
        }),
      ),
    );
  image
    .command('push')
    .summary('push images to their registries')
    .description('The name says where to, e.g. registry.example.org/team/app:1; `bascule image tag` gives one.')
    .argument('<references...>', 'names of images that are here')
    .action(
      run((session, references: string[]) =>
        transferAll(session, references, async (reference, o) => {
          const client = await session.connect();
          return await client.pushImage({ ...o.body, reference }, o);
        }),
      ),
    );
}

interface Transfer extends Omit<Parameters<Awaited<ReturnType<Session['connect']>>['pushImage']>[1], never> {
  readonly body: { readonly login?: RegistryLogin };
}

async function transferAll(
  session: Session,
  references: readonly string[],
  work: (reference: string, o: Transfer) => Promise<TransferResult>,
): Promise<number> {
  const stop = new AbortController();
  using _interrupts = session.host.onInterrupt(() => stop.abort());
  const results: TransferResult[] = [];
  for (const reference of references) {
    const login = await findLogin(loginPlaceOf(session.host.env), parseReference(reference).domain);
    using progress = transferProgressOn(session.host.stderr, session);
    const body = login === undefined ? {} : { login };
    const result = await work(reference, { body, onEvent: (event) => progress.show(event), signal: stop.signal });
    results.push(result);
  }
  if (session.json) session.printJson(results);
  else
    for (const { reference, digest } of results)
      session.print(`${reference}${digest === undefined ? '' : ` ${digest}`}\n`);
  return 0;
}
