import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { styleFor } from '../output/style.ts';
import { createSteering } from './steering.ts';

const style = styleFor(false);

function scene() {
  const sent: string[] = [];
  const steering = createSteering({
    send: async ({ kind }) => void sent.push(kind),
    leave: () => void sent.push('left'),
    changed: () => {},
  });
  const press = (keys: string): string => {
    for (const key of keys) steering.press(key);
    return steering.footer({ isPaused: false, style }).join('\n');
  };
  return { sent, press, steering };
}

describe('keys of the live view', () => {
  it('pause, resume and leave at once', () => {
    const { sent, press } = scene();
    press('prq');
    assert.deepEqual(sent, ['pause', 'resume', 'left']);
  });

  it('ask before they promote or abort', () => {
    const { sent, press } = scene();
    assert.match(press('m'), /^Promote: .*\?\ny yes/);
    assert.deepEqual(sent, []);
    press('n');
    press('ay');
    press('m\r');
    assert.deepEqual(sent, ['abort']);
  });

  it('offer what can be done', () => {
    const { steering } = scene();
    assert.match(steering.footer({ isPaused: false, style }).join(), /p pause/);
    assert.match(steering.footer({ isPaused: true, style }).join(), /r resume/);
  });

  it('tell what the daemon answered', async () => {
    const failed = Promise.withResolvers<void>();
    const steering = createSteering({
      send: async () => {
        throw new Error('it has switched already');
      },
      leave: () => {},
      changed: () => {
        if (steering.footer({ isPaused: false, style })[0] === 'it has switched already') failed.resolve();
      },
    });
    steering.press('p');
    await failed.promise;
  });
});
