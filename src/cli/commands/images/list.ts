import type { Command } from 'commander';
import type { RunAction } from '../../command.ts';
import { formatAge, formatBytes, renderTable } from '../../output/table.ts';
import type { Session } from '../../session.ts';

/** `bascule images`, and `bascule image ls`, which is the same. */
export function addList(command: Command, run: RunAction): void {
  command.action(run((session) => list(session)));
}

async function list(session: Session): Promise<number> {
  const images = await (await session.connect()).images();
  if (session.json) {
    session.printJson(images);
    return 0;
  }
  const now = new Date();
  const rows = images.flatMap(({ id, references, createdAt, sizeBytes }) =>
    (references.length === 0 ? ['<none>:<none>'] : references).map((reference) => {
      const colon = reference.lastIndexOf(':');
      return [
        reference.slice(0, colon),
        reference.slice(colon + 1),
        id.replace('sha256:', '').slice(0, 12),
        formatAge(new Date(createdAt), now),
        formatBytes(sizeBytes),
      ];
    }),
  );
  session.print(renderTable(['REPOSITORY', 'TAG', 'IMAGE ID', 'CREATED', 'SIZE'], rows));
  return 0;
}
