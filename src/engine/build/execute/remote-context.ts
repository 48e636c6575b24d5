import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { messageOf, UserError } from '../../../lib/errors.ts';
import { resolveInRoot } from '../../../lib/root-path.ts';
import { remoteOf } from '../dockerfile/remote.ts';
import { checkOutGit } from './git-context.ts';
import type { Fetching } from './context.ts';

export type FetchedRemote =
  | { readonly kind: 'directory'; readonly path: string }
  /** An archive, or a Dockerfile alone. */
  | { readonly kind: 'stream'; readonly stream: Readable };

/**
 * Fetches a build context that is a git repository or a file behind an http(s) URL.
 * @throws UserError `context-invalid`, `context-unreachable`, and those of git
 */
export async function fetchRemote(url: string, o: Fetching): Promise<FetchedRemote> {
  const remote = remoteOf(url.startsWith('github.com/') ? `https://${url}` : url);
  if (remote === undefined) throw invalid(url, 'it is neither a folder, a git repository nor a URL');
  switch (remote.kind) {
    case 'problem':
      throw invalid(url, remote.message);
    case 'url':
      o.onLine(`fetching ${url}`);
      return { kind: 'stream', stream: await download(url, o.signal) };
    case 'git': {
      o.onLine(`cloning ${url}`);
      const directory = await o.temporaryDirectory();
      const socket = o.ssh['default'];
      await checkOutGit(remote.reference, {
        directory,
        signal: o.signal,
        ...(socket === undefined ? {} : { sshSocket: socket }),
      });
      return { kind: 'directory', path: await resolveInRoot(directory, remote.reference.subdirectory) };
    }
  }
}

async function download(url: string, signal: AbortSignal): Promise<Readable> {
  let response: Response;
  try {
    response = await fetch(url, { signal, redirect: 'follow' });
  } catch (cause) {
    signal.throwIfAborted();
    throw unreachableContext(url, messageOf(cause instanceof Error ? (cause.cause ?? cause) : cause), cause);
  }
  if (!response.ok || response.body === null) throw unreachableContext(url, `the server answered ${response.status}`);
  return Readable.fromWeb(response.body as ReadableStream);
}

function invalid(url: string, why: string): UserError {
  return new UserError({
    code: 'context-invalid',
    kind: 'invalid',
    message: `the build context ${url} cannot be used: ${why}`,
    fix: 'Name a folder, `-`, a git repository such as https://host/app.git#branch:folder, or the URL of a tar.',
  });
}

function unreachableContext(url: string, why: string, cause?: unknown): UserError {
  return new UserError({
    code: 'context-unreachable',
    kind: 'unavailable',
    message: `cannot fetch the build context ${url}: ${why}`,
    fix: 'Check the address, and that this machine reaches it.',
    cause,
  });
}
