import type { GitReference, Remote } from '../dockerfile/remote.ts';
import { flagPosition } from '../dockerfile/parse.ts';
import { type Complaint, errorAt } from '../dockerfile/source.ts';
import type { CopyStatement } from '../dockerfile/statement.ts';
import type { CopySource, GitOrigin, UrlOrigin } from './plan.ts';
import type { StageState } from './stage-state.ts';

interface Written {
  readonly text: string;
  readonly remote: Remote;
}

/** What ADD fetches (Dockerfile reference: Adding files from a URL, from a Git repository). */
export function remoteSource(state: StageState, statement: CopyStatement, { text, remote }: Written): CopySource {
  const { instruction } = statement;
  const complain = (complaint: Complaint): Error => errorAt(state.source, instruction.restPosition, complaint);
  const complainOfChecksum = (complaint: Complaint): Error =>
    errorAt(state.source, flagPosition(instruction, 'checksum'), complaint);
  if (!statement.isAdd) {
    throw complain({
      message: `COPY does not fetch: ${text}`,
      fix: 'Use ADD for URLs and git repositories.',
    });
  }
  switch (remote.kind) {
    case 'problem':
      throw complain({
        message: `${text}: ${remote.message}`,
        fix: 'Write https://host/repository.git#BRANCH:FOLDER.',
      });
    case 'url':
      return {
        origin: urlOrigin(remote, statement, { complain, complainOfChecksum }),
        path: remote.fileName || '.',
        parentsBelow: undefined,
        unpacks: statement.unpack ?? false,
      };
    case 'git':
      return {
        origin: gitOrigin(remote.reference, statement, complainOfChecksum),
        path: '.',
        parentsBelow: undefined,
        unpacks: false,
      };
  }
}

type Complain = (complaint: Complaint) => Error;

function urlOrigin(
  { url, fileName }: { readonly url: string; readonly fileName: string },
  { checksum }: CopyStatement,
  { complain, complainOfChecksum }: { readonly complain: Complain; readonly complainOfChecksum: Complain },
): UrlOrigin {
  if (!URL.canParse(url)) throw complain({ message: `${url} is no URL`, fix: 'Write https://host/path/file.' });
  if (checksum === undefined || /^sha256:[0-9a-f]{64}$/.test(checksum)) {
    return { kind: 'url', url, fileName, checksum };
  }
  throw complainOfChecksum({
    message: `--checksum=${checksum} is no SHA-256 digest`,
    fix: 'Write --checksum=sha256: and 64 hexadecimal digits; `sha256sum FILE` prints them.',
  });
}

function gitOrigin(reference: GitReference, statement: CopyStatement, complain: Complain): GitOrigin {
  const { keepsGitDirectory, ...rest } = reference;
  const checksum = statement.checksum ?? reference.checksum;
  if (reference.checksum !== undefined && reference.checksum !== checksum) {
    throw complain({
      message: `--checksum=${checksum} is not ${reference.checksum}, which the URL names`,
      fix: 'Remove one of them.',
    });
  }
  if (checksum !== undefined && !/^[0-9a-f]{1,64}$/.test(checksum)) {
    throw complain({
      message: `--checksum=${checksum} is no commit`,
      fix: 'Write the first digits of the commit, or all of them.',
    });
  }
  return {
    kind: 'git',
    ...rest,
    checksum,
    keepsGitDirectory: statement.keepsGitDirectory || keepsGitDirectory === true,
  };
}
