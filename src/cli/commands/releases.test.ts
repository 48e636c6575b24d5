import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { styleFor } from '../output/style.ts';
import { renderDiff, renderRelease } from './releases.ts';

const style = styleFor(false);

describe('releases', () => {
  it('are shown with everything that was frozen', () => {
    const text = renderRelease(
      {
        project: 'shop',
        number: 4,
        state: 'current',
        createdAt: '2026-05-01T12:00:00Z',
        author: 'ana',
        predecessor: 3,
        services: [
          { name: 'web', image: 'shop:4', imageId: 'sha256:ab12', replicas: 2, stateful: false, identity: 'x' },
        ],
        compose: 'name: shop\n',
        files: [{ name: 'token', kind: 'secret', version: '0123456789abcdef' }],
        rollouts: [7, 9],
      },
      style,
    );
    assert.match(text, /^release 4 of shop: current$/m);
    assert.match(text, /^ {2}after release 3$/m);
    assert.match(text, /^web +2 +no +shop:4 +sha256:ab12$/m);
    assert.match(text, /^token +secret +0123456789ab$/m);
    assert.match(text, /rollouts 7, 9/);
    assert.ok(text.endsWith('\nname: shop\n'));
  });

  it('are compared place by place', () => {
    const changes = [
      { path: 'services.web.image', kind: 'changed', before: 'shop:3', after: 'shop:4' },
      { path: 'services.web.command', kind: 'added', after: 'a\nb' },
      { path: 'volumes.data', kind: 'removed', before: '{}' },
    ] as const;
    const text = renderDiff({ project: 'shop', from: 3, to: 4, changes }, style);
    assert.equal(
      text,
      'release 3 -> release 4 of shop\nservices.web.image\n  - shop:3\n  + shop:4\n' +
        'services.web.command\n  + a\n  + b\nvolumes.data\n  - {}\n',
    );
    assert.match(renderDiff({ project: 'shop', from: 3, to: 3, changes: [] }, style), /are the same/);
  });
});
