import type { BuildEvent } from '../build/index.ts';

/** One line of the classic JSON stream of `POST /build`. */
type BuildLine = { readonly stream: string } | { readonly aux: { readonly ID: string } };

/** Docker's classic transcript of a build. */
export interface Transcript {
  take(event: BuildEvent): readonly BuildLine[];
  /** What was held back: for a build that failed. */
  rest(): readonly BuildLine[];
}

/** Instructions that dockerd's classic builder carries out without a container. */
const WITHOUT_CONTAINER = /^(?:FROM|COPY|ADD)\s/i;

/**
 * Turns the events of a build, whose steps may run side by side, into Docker's classic transcript, in the order of
 * the Dockerfile: a step prints live once all before it are done; until then its lines wait.
 */
export function createTranscript(newContainerId: () => string): Transcript {
  const waiting = new Map<number, BuildLine[]>();
  const done = new Set<number>();
  /** FROM steps: a base is there, or not; Docker does not call it cached. */
  const bases = new Set<number>();
  /** Steps that would have a container of their own in dockerd, and its id once it was named. */
  const containers = new Map<number, string>();
  const running = (step: number): readonly BuildLine[] => {
    if (containers.get(step) !== '') return [];
    const id = newContainerId();
    containers.set(step, id);
    return put(step, { stream: ` ---> Running in ${id}\n` });
  };
  const removed = (step: number): readonly BuildLine[] => {
    const id = containers.get(step);
    return id ? put(step, { stream: ` ---> Removed intermediate container ${id}\n` }) : [];
  };
  let current = 1;
  const put = (step: number, line: BuildLine): readonly BuildLine[] => {
    if (step <= current) return [line];
    waiting.set(step, [...(waiting.get(step) ?? []), line]);
    return [];
  };
  const advance = (): readonly BuildLine[] => {
    const lines: BuildLine[] = [];
    while (done.has(current)) {
      current += 1;
      lines.push(...(waiting.get(current) ?? []));
      waiting.delete(current);
    }
    return lines;
  };
  const rest = (): readonly BuildLine[] => {
    const begun = running(current);
    const lines = [...waiting].sort(([a], [b]) => a - b).flatMap(([, entries]) => entries);
    waiting.clear();
    return [...begun, ...lines];
  };
  const take = (event: BuildEvent): readonly BuildLine[] => {
    switch (event.kind) {
      case 'step-started':
        if (/^FROM\s/i.test(event.text)) bases.add(event.step);
        if (!WITHOUT_CONTAINER.test(event.text)) containers.set(event.step, '');
        return put(event.step, { stream: `Step ${event.step}/${event.total} : ${event.text}\n` });
      case 'output':
        return [...running(event.step), ...put(event.step, { stream: event.data.toString('utf8') })];
      case 'step-done': {
        const { step, cached, shortId } = event;
        const container = cached ? [] : [...running(step), ...removed(step)];
        const using = cached && !bases.has(step) ? ' ---> Using cache\n' : '';
        const line = put(step, { stream: `${using} ---> ${shortId}\n` });
        done.add(step);
        return [...container, ...line, ...advance()];
      }
      case 'status':
        return [{ stream: `${event.line}\n` }];
      case 'warning':
        return [
          { stream: `[Warning] ${event.code}: ${event.message}${event.line > 0 ? ` (line ${event.line})` : ''}\n` },
        ];
      case 'built':
        return [...rest(), ...builtLines(event)];
    }
  };
  return { take, rest };
}

/** `docker build -q`: the image's id alone, or everything when the build fails. */
export function createQuietTranscript(newContainerId: () => string): Transcript {
  const transcript = createTranscript(newContainerId);
  const held: BuildLine[] = [];
  return {
    take: (event) => {
      if (event.kind === 'built') return [{ stream: `${event.imageId}\n` }];
      held.push(...transcript.take(event));
      return [];
    },
    rest: () => [...held.splice(0), ...transcript.rest()],
  };
}

function builtLines({ imageId, tags }: Extract<BuildEvent, { kind: 'built' }>): readonly BuildLine[] {
  const short = imageId.slice('sha256:'.length).slice(0, 12);
  return [
    { aux: { ID: imageId } },
    { stream: `Successfully built ${short}\n` },
    ...tags.map((tag) => ({ stream: `Successfully tagged ${tag}\n` })),
  ];
}
