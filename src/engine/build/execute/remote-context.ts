import type { Readable } from 'node:stream';
import { UserError } from '../../../lib/errors.ts';
import { resolveInRoot } from '../../../lib/root-path.ts';
import { remoteOf } from '../dockerfile/remote.ts';
import { checkOutGit } from '../sources/git.ts';
import { httpFetch, shownUrl } from '../sources/http.ts';
import type { Fetching } from './fetching.ts';

export type FetchedRemote =
  | { readonly kind: 'directory'; readonly path: string }
  /** An archive, or a Dockerfile alone. */
  | { readonly kind: 'stream'; readonly stream: Readable };

/**
 * Fetches a build context that is a git repository or a file behind an http(s) URL.
 * @throws UserError `context-invalid`, `context-unreachable`, `url-unreachable`, and those of git
 */
export async function fetchRemote(url: string, o: Fetching): Promise<FetchedRemote> {
  const remote = remoteOf(url.startsWith('github.com/') ? `https://${url}` : url);
  if (remote === undefined) throw invalid(url, 'it is neither a folder, a git repository nor a URL');
  switch (remote.kind) {
    case 'problem':
      throw invalid(url, remote.message);
    case 'url':
      o.onLine(`fetching ${shownUrl(url)}`);
      return { kind: 'stream', stream: await download(url, o) };
    case 'git': {
      o.onLine(`cloning ${shownUrl(url)}`);
      const directory = await o.temporaryDirectory();
      const socket = o.ssh['default'];
      await checkOutGit(remote.reference, {
        directory,
        signal: o.signal,
        proxies: o.proxies,
        ...(socket === undefined ? {} : { sshSocket: socket }),
      });
      return { kind: 'directory', path: await resolveInRoot(directory, remote.reference.subdirectory) };
    }
  }
}

async function download(url: string, { proxies, signal }: Fetching): Promise<Readable> {
  const response = await httpFetch({ url, headers: {}, proxies, signal });
  if (response.statusCode === 200) return response;
  response.resume();
  throw unreachableContext(url, `the server answered ${response.statusCode}`);
}

function invalid(url: string, why: string): UserError {
  return new UserError({
    code: 'context-invalid',
    kind: 'invalid',
    message: `the build context ${shownUrl(url)} cannot be used: ${why}`,
    fix: 'Name a folder, `-`, a git repository such as https://host/app.git#branch:folder, or the URL of a tar.',
  });
}

function unreachableContext(url: string, why: string): UserError {
  return new UserError({
    code: 'context-unreachable',
    kind: 'unavailable',
    message: `cannot fetch the build context ${shownUrl(url)}: ${why}`,
    fix: 'Check the address, and that this machine reaches it.',
  });
}
