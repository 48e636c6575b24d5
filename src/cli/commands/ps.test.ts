import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { canaryStatus } from '../../../test/support/rollout-status.ts';
import type { ProjectView, RolloutStatus, Streamed } from '../../server/client/index.ts';
import { styleFor } from '../output/style.ts';
import { renderProject } from './ps.ts';

const wired = <T>(value: T): Streamed<T> => JSON.parse(JSON.stringify(value)) as Streamed<T>;

const instance = (over: Partial<ProjectView['instances'][number]>): ProjectView['instances'][number] => ({
  name: 'shop-web-r3-1',
  id: 'a',
  service: 'web',
  release: 3,
  role: 'current',
  state: 'running',
  health: 'healthy',
  image: 'shop:3',
  restarts: 0,
  ...over,
});

const view: ProjectView = {
  project: 'shop',
  release: 3,
  warm: [],
  ports: [],
  rollout: { rollout: 7, kind: 'deploy', author: 'ana', startedAt: new Date(), from: 3, to: 4, undoing: false },
  instances: [instance({}), instance({ name: 'shop-web-r3-2', isOut: true })],
};

const rendered = (status: RolloutStatus | undefined): string =>
  renderProject(wired(view), status === undefined ? undefined : wired(status), styleFor(false));

describe('ps', () => {
  it('marks instances that are out of traffic', () => {
    assert.match(rendered(undefined), /^shop-web-r3-1 .* current +running/m);
    assert.match(rendered(undefined), /^shop-web-r3-2 .* current, out of traffic +running/m);
  });

  it('tells what both sides get while a rollout runs', () => {
    assert.match(rendered(canaryStatus()), /· traffic: 75 % release 3, 25 % release 4$/m);
    const routes = [
      { route: 'shop/web/80', service: 'web', weight: 2_500 },
      { route: 'shop/api/80', service: 'api', weight: 0 },
    ];
    assert.match(rendered(canaryStatus({ routes })), /· web: 75 % release 3, 25 % release 4$/m);
    assert.doesNotMatch(rendered(canaryStatus({ endedAt: new Date() })), /75 %/);
  });
});
