import type { Command } from 'commander';
import type { RunAction } from '../../command.ts';

interface SnapshotOptions {
  readonly snapshot?: string;
  readonly mirror?: string;
}

export function addBootstrap(image: Command, run: RunAction): void {
  image
    .command('bootstrap')
    .summary('make a base image from Debian or Ubuntu packages, from scratch')
    .description(
      'Makes a base image without any registry: debian:bookworm, debian:trixie, ubuntu:jammy, ubuntu:noble\n' +
        'by mmdebstrap, and busybox from busybox-static. `FROM debian:bookworm` then finds it.\n' +
        'A tag with a day, debian:bookworm-20261101, or --snapshot takes the packages as they were then: the same\n' +
        'moment gives the same image, anywhere.',
    )
    .argument('<reference>', 'for example debian:bookworm')
    .option('--snapshot <time>', 'packages as they were at this time: 20261101, or 20261101T143000Z (UTC)')
    .option('--mirror <url>', 'of snapshots, instead of http://snapshot.debian.org or http://snapshot.ubuntu.com')
    .action(
      run(async (session, reference: string, { snapshot, mirror }: SnapshotOptions) => {
        const client = await session.connect();
        const stop = new AbortController();
        using _interrupts = session.host.onInterrupt(() => stop.abort());
        const result = await client.bootstrap(
          { reference, snapshot, mirror },
          (line) => void session.host.stderr.write(`${line}\n`),
          stop.signal,
        );
        if (session.json) session.printJson(result);
        else session.print(`${result.reference}\n`);
        return 0;
      }),
    );
}
