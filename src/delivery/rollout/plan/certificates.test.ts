import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PlannedMachine } from '../../../../test/support/planned-machine.ts';
import type { CertificateNeeds } from './certificate-needs.ts';
import type { Plan } from './plan.ts';
import { planDeploy } from './strategy.ts';

const NONE: CertificateNeeds = { install: [], obtain: [], remove: [], warnings: [] };
const certificate = { name: 'p/web', hosts: ['a.test'], fingerprint: 'AA', isDefault: false, notAfterMs: 0 };
const sketch = { web: { image: 1, replicas: 1, published: true, stateful: false, needs: [] } };

describe('certificates in plans', () => {
  const kindsOf = ({ waves }: Plan): readonly string[] => waves.flat().map(({ kind }) => kind);

  it('are installed before ports are published and traffic moves; authorities are asked behind it', () => {
    const machine = new PlannedMachine();
    const input = machine.inputFor(machine.releaseOf(sketch));
    const needs = { ...NONE, install: [certificate], obtain: [{ name: 'p/api', host: 'b.test' }], remove: ['p/old'] };
    const kinds = kindsOf(planDeploy({ ...input, certificates: needs }));
    const order = ['install-certificate', 'publish-port', 'set-standing', 'obtain-certificate', 'remove-certificate'];
    assert.deepEqual(
      kinds.filter((kind) => order.includes(kind)),
      order,
    );
  });

  it('are a reason for a rollout that does nothing else; what is only missing is none', () => {
    const machine = new PlannedMachine();
    const first = machine.releaseOf(sketch);
    for (const step of machine.planDeploy(first).waves.flat()) machine.act(step);
    machine.releases.set(first.number, first);
    const again = (certificates: CertificateNeeds): Plan =>
      planDeploy({ ...machine.inputFor(machine.releaseOf(sketch)), certificates });
    assert.equal(again(NONE).unchanged, true);
    assert.equal(again({ ...NONE, obtain: [{ name: 'p/web', host: 'a.test' }] }).unchanged, true);
    const plan = again({ ...NONE, install: [certificate] });
    assert.equal(plan.unchanged, false);
    const touching = ['create-instance', 'start-instance', 'stop-instance', 'switch-routes'];
    assert.deepEqual(
      kindsOf(plan).filter((kind) => touching.includes(kind)),
      [],
    );
  });
});
