import type { Command } from 'commander';
import { UserError } from '../../../lib/errors.ts';
import type { RunAction } from '../../command.ts';

export function addProvenance(image: Command, run: RunAction): void {
  image
    .command('provenance')
    .summary('print how an image was built')
    .description(
      'Prints an in-toto statement with SLSA provenance: the Dockerfile, the digests of its bases, the commit that was\n' +
        'checked out, and build arguments without those that are called secret.',
    )
    .argument('<name>', 'reference or id')
    .action(
      run(async (session, name: string) => {
        const { document } = await (await session.connect()).provenance(name);
        if (document === undefined) throw unknown(name);
        session.print(document);
        return 0;
      }),
    );
}

function unknown(name: string): UserError {
  return new UserError({
    code: 'provenance-unknown',
    kind: 'not-found',
    message: `nothing is known of how ${name} was made: it was not built here`,
    fix: 'Build it with `bascule image build` or `docker build` on this engine.',
  });
}
