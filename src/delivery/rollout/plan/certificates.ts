import { step } from './plan.ts';
import type { Scene } from './scene.ts';
import type { Step } from './step.ts';

export function installSteps({ certificates }: Scene): readonly Step[] {
  return (certificates?.install ?? []).map((certificate) =>
    step('declared in the Compose file', { kind: 'install-certificate', certificate }),
  );
}

/** After the switch: nothing of this is taken back, and none of it fails a rollout. */
export function laterCertificateSteps({ certificates }: Scene): readonly Step[] {
  return [
    ...(certificates?.obtain ?? []).map((wish) =>
      step('the name leads here now', { kind: 'obtain-certificate', ...wish }),
    ),
    ...(certificates?.remove ?? []).map((name) =>
      step('no longer in the Compose file', { kind: 'remove-certificate', name }),
    ),
  ];
}

/** Whether there is a reason for a rollout. One that is only missing is requested without. */
export function hasCertificateChanges({ certificates }: Scene): boolean {
  return certificates !== undefined && certificates.install.length + certificates.remove.length > 0;
}
