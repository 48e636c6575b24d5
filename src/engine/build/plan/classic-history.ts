import type { CopyAction, Step } from './plan.ts';

const NO_OPERATION = '/bin/sh -c #(nop) ';

/**
 * `created_by` as dockerd's classic builder writes it (moby builder/dockerfile/dispatchers.go), for clients of `/build`.
 * A folder that is copied by a name without a slash at its end is called a file: only its content would tell.
 * @param contentKey 64 hexadecimal digits that stand for what the step has read
 * @returns undefined where the step has no entry
 */
export function classicCreatedBy(step: Step, contentKey: string): string | undefined {
  const { action, createdBy, text } = step;
  if (createdBy === undefined) return /^ONBUILD\s/i.test(text) ? `${NO_OPERATION} ${text}` : undefined;
  switch (action.kind) {
    case 'run':
      return createdBy.replace(/^RUN /, '').replace(/ # buildkit$/, '');
    case 'copy':
      return `${NO_OPERATION}${copyText(createdBy, action, contentKey)}`;
    case 'workdir':
      return `${NO_OPERATION}${createdBy}`;
    case 'metadata':
      return `${NO_OPERATION} ${exposeText(text) ?? createdBy}`;
  }
}

function copyText(createdBy: string, action: CopyAction, contentKey: string): string {
  const verb = createdBy.startsWith('ADD') ? 'ADD' : 'COPY';
  const chown = action.chown === undefined ? '' : `--chown=${action.chown} `;
  return `${verb} ${chown}${kindOf(action)}:${contentKey} in ${action.destination} `;
}

function kindOf({ sources, inlineFiles }: CopyAction): 'multi' | 'dir' | 'file' {
  if (sources.length + inlineFiles.length > 1) return 'multi';
  const path = sources[0]?.path ?? '';
  return /(?:^|\/)\.?$/.test(path) && inlineFiles.length === 0 ? 'dir' : 'file';
}

/** BuildKit names every port with its protocol, the classic builder as it is written. */
function exposeText(text: string): string | undefined {
  return /^EXPOSE\s/i.test(text) && !text.includes('$') ? text.replace(/^\S+\s+/, 'EXPOSE ') : undefined;
}
