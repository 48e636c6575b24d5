import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { canaryStatus } from '../../../test/support/rollout-status.ts';
import { UserError } from '../../lib/errors.ts';
import type { Client } from '../../server/client/index.ts';
import type { Session } from '../session.ts';
import { lastingStatuses } from './follow.ts';
import type { Status } from './status.ts';

const status = (rollout: number): Status => JSON.parse(JSON.stringify(canaryStatus({ rollout }))) as Status;
const gone = (code: string): UserError => new UserError({ code, kind: 'unavailable', message: 'm', fix: 'f' });

/** Statuses of a daemon that breaks off with these errors, one after the other, and ends well after the last. */
async function follow(errors: readonly Error[]) {
  const calls = { watched: 0, connected: 0 };
  const client = {
    async *watchRollout() {
      calls.watched += 1;
      yield status(calls.watched);
      const error = errors[calls.watched - 1];
      if (error !== undefined) throw error;
    },
  } as Partial<Client> as Client;
  const connect = async (): Promise<Client> => ((calls.connected += 1), client);
  const session = { connect } as Partial<Session> as Session;
  const o = { project: 'shop', signal: new AbortController().signal };
  const seen = await Array.fromAsync(lastingStatuses(session, client, o), ({ rollout }) => rollout);
  return { seen, ...calls };
}

describe('following a rollout', () => {
  it('goes on with the daemon that comes after one that was killed', async () => {
    const { seen, connected } = await follow([gone('daemon-gone'), gone('daemon-gone')]);
    assert.deepEqual(seen, [1, 2, 3]);
    assert.equal(connected, 2);
  });

  it('gives up on a daemon that ends again and again, and on anything else', async () => {
    await assert.rejects(follow(Array.from({ length: 9 }, () => gone('daemon-gone'))), { code: 'daemon-gone' });
    await assert.rejects(follow([gone('project-not-found')]), { code: 'project-not-found' });
  });
});
