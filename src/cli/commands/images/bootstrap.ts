import type { Command } from 'commander';
import type { RunAction } from '../../command.ts';

export function addBootstrap(image: Command, run: RunAction): void {
  image
    .command('bootstrap')
    .summary('make a base image from Debian or Ubuntu packages, from scratch')
    .description(
      'Makes a base image without any registry: debian:bookworm, debian:trixie, ubuntu:jammy, ubuntu:noble\n' +
        'by mmdebstrap, and busybox from busybox-static. `FROM debian:bookworm` then finds it.',
    )
    .argument('<reference>', 'for example debian:bookworm')
    .action(
      run(async (session, reference: string) => {
        const client = await session.connect();
        const stop = new AbortController();
        using _interrupts = session.host.onInterrupt(() => stop.abort());
        const result = await client.bootstrap(
          reference,
          (line) => void session.host.stderr.write(`${line}\n`),
          stop.signal,
        );
        if (session.json) session.printJson(result);
        else session.print(`${result.reference}\n`);
        return 0;
      }),
    );
}
