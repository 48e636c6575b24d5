import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { digestOf, type Digest } from '../../lib/oci/index.ts';
import { shortId } from '../../lib/id.ts';
import type { ImageUser } from './face.ts';
import { planRemoval, type RemovalStep } from './removal.ts';

interface FakeImage {
  readonly references?: readonly string[];
  readonly repoDigests?: readonly string[];
  readonly parent?: string;
  readonly users?: readonly ImageUser[];
}

const stopped: ImageUser = { containerId: 'c'.repeat(64), isRunning: false };
const running: ImageUser = { containerId: 'd'.repeat(64), isRunning: true };

describe('removal', () => {
  it('only untags an image that has another tag', () => {
    const images = { app: { references: ['app:1', 'app:2'] } };
    assert.deepEqual(plan(images, 'app', { reference: 'app:1' }), ['untag app:1']);
  });

  it('deletes with the last tag, and then parents that nothing needs', () => {
    const images = {
      base: { references: ['base:1'] },
      step: { parent: 'base' },
      app: { references: ['app:1'], parent: 'step' },
    };
    assert.deepEqual(plan(images, 'app', { reference: 'app:1' }), ['untag app:1', 'delete app', 'delete step']);
    assert.deepEqual(plan(images, 'app', { reference: 'app:1', keepParents: true }), ['untag app:1', 'delete app']);
  });

  it('keeps a parent with another child', () => {
    const images = {
      step: {},
      app: { references: ['app:1'], parent: 'step' },
      other: { references: ['o:1'], parent: 'step' },
    };
    assert.deepEqual(plan(images, 'app', { reference: 'app:1' }), ['untag app:1', 'delete app']);
  });

  it('forgets digests with the last tag of their repository', () => {
    const images = { app: { references: ['app:1'], repoDigests: [`app@${digestOf('m')}`] } };
    assert.deepEqual(plan(images, 'app', { reference: 'app:1' }), [
      'untag app:1',
      `forget-digest app@${digestOf('m')}`,
      'delete app',
    ]);
  });

  it('untags an image that has children, and keeps it', () => {
    const images = { base: { references: ['base:1'] }, app: { parent: 'base' } };
    assert.deepEqual(plan(images, 'base', { reference: 'base:1' }), ['untag base:1']);
    assert.throws(
      () => plan(images, 'base', { force: true }),
      /\(cannot be forced\) - image has dependent child images/,
    );
    const two = { base: { references: ['base:1', 'b:2'] }, app: { parent: 'base' } };
    assert.deepEqual(plan(two, 'base', { reference: 'base:1' }), ['untag base:1']);
  });

  it("refuses in Docker's words", () => {
    const id = shortId(idOf('app'));
    const used = (user: ImageUser) => ({ app: { references: ['app:1'], users: [user] } });
    assert.throws(() => plan(used(stopped), 'app', { reference: 'app:1' }), {
      message:
        'conflict: unable to remove repository reference "app:1" (must force) - ' +
        `container cccccccccccc is using its referenced image ${id}`,
    });
    assert.throws(() => plan(used(stopped), 'app', {}), {
      message: `conflict: unable to delete ${id} (must be forced) - image is being used by stopped container cccccccccccc`,
    });
    assert.throws(() => plan(used(running), 'app', { force: true }), {
      message: `conflict: unable to delete ${id} (cannot be forced) - image is being used by running container dddddddddddd`,
    });
    const twoNames = { app: { references: ['app:1', 'other:1'] } };
    assert.throws(() => plan(twoNames, 'app', {}), {
      message: `conflict: unable to delete ${id} (must be forced) - image is referenced in multiple repositories`,
    });
  });

  it('forces: all names go, and an image of a stopped container', () => {
    const images = { app: { references: ['app:1', 'other:1'], users: [stopped] } };
    assert.deepEqual(plan(images, 'app', { force: true }), ['untag app:1', 'untag other:1', 'delete app']);
  });

  it('forced, untags the image of a running container and keeps it', () => {
    const images = { app: { references: ['app:1'], users: [running] } };
    assert.deepEqual(plan(images, 'app', { reference: 'app:1', force: true }), ['untag app:1']);
  });
});

function plan(
  images: Readonly<Record<string, FakeImage>>,
  name: string,
  o: { reference?: string; force?: boolean; keepParents?: boolean },
): readonly string[] {
  const of = (id: Digest): FakeImage => Object.entries(images).find(([key]) => idOf(key) === id)?.[1] ?? {};
  const steps = planRemoval(
    {
      id: idOf(name),
      name: o.reference ?? name,
      reference: o.reference,
      force: o.force ?? false,
      keepParents: o.keepParents ?? false,
    },
    {
      referencesOf: (id) => of(id).references ?? [],
      repoDigestsOf: (id) => of(id).repoDigests ?? [],
      childrenOf: (id) =>
        Object.keys(images)
          .map(idOf)
          .filter((child) => parentOf(of(child)) === id),
      parentOf: (id) => parentOf(of(id)),
      usersOf: (id) => of(id).users ?? [],
    },
  );
  return steps.map((step) => said(step, Object.keys(images)));
}

function said(step: RemovalStep, names: readonly string[]): string {
  return step.kind === 'delete'
    ? `delete ${names.find((name) => idOf(name) === step.id)}`
    : `${step.kind} ${step.reference}`;
}

function parentOf(image: FakeImage): Digest | undefined {
  return image.parent === undefined ? undefined : idOf(image.parent);
}

function idOf(name: string): Digest {
  return digestOf(name);
}
