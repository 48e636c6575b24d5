import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ReleaseView } from '../delivery/rollout/index.ts';
import { assertNotNeeded } from './needed-image.ts';

const ID = `sha256:${'a'.repeat(64)}`;

function deliveryWith(...states: readonly ReleaseView['state'][]) {
  const releases = states.map((state, index) => ({
    project: 'shop',
    number: index + 1,
    state,
    createdAt: new Date(0),
    author: 'me',
    services: [{ name: 'web', image: 'shop-web', imageId: ID, replicas: 1, stateful: false, identity: 'x' }],
  }));
  return { projects: () => ['shop'], releases: async () => releases };
}

const references = ['shop-web:latest', 'shop-web:r2'];

describe('removing an image', () => {
  it('refuses the name by which a release keeps it, and tells the release', async () => {
    await assert.rejects(assertNotNeeded(deliveryWith('gone', 'kept'), { name: 'shop-web:r2', id: ID, references }), {
      code: 'image-needed',
      kind: 'conflict',
      message: 'the image shop-web:r2 is needed by release 2 of shop (kept)',
    });
  });

  it('refuses its id, which takes all names away', async () => {
    const removal = { name: 'aaaaaaaaaaaa', id: ID, references };
    await assert.rejects(assertNotNeeded(deliveryWith('gone', 'current'), removal), { code: 'image-needed' });
  });

  it('refuses its last name', async () => {
    const removal = { name: 'shop-web', id: ID, references: ['shop-web:latest'] };
    await assert.rejects(assertNotNeeded(deliveryWith('warm'), removal), { code: 'image-needed' });
  });

  it('lets go of other names, of releases that lie behind, and of other images', async () => {
    await assertNotNeeded(deliveryWith('gone', 'kept'), { name: 'shop-web', id: ID, references });
    await assertNotNeeded(deliveryWith('gone', 'failed'), { name: 'shop-web:r2', id: ID, references });
    await assertNotNeeded(deliveryWith('current'), { name: 'other', id: 'sha256:b', references: ['other:latest'] });
  });
});
