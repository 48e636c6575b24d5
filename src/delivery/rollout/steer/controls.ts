import type { ControlRecord } from './control-record.ts';
import type { EvidenceStore } from '../judge/evidence-store.ts';
import type { RolloutKey } from '../judge/samples.ts';

type Said = Pick<ControlRecord, 'author' | 'atMs' | 'reason'>;

/** What holds now, after all that was said. */
export interface Steering {
  readonly paused?: Said;
  /** Held instead of the plan's weight, basis points. */
  readonly weight?: Said & { readonly points: number };
  /** What remains of the stages is skipped. */
  readonly promoted?: Said;
  readonly aborted?: Said;
  /** Steps that a person has confirmed. */
  readonly confirmed: readonly number[];
}

const UNSTEERED: Steering = { confirmed: [] };

/** The last word counts; a promotion and an abort stay. */
function steeringAfter(records: readonly ControlRecord[]): Steering {
  return records.reduce(apply, UNSTEERED);
}

function apply(steering: Steering, record: ControlRecord): Steering {
  const { author, atMs, reason, action } = record;
  const said: Said = { author, atMs, ...(reason === undefined ? {} : { reason }) };
  const { paused: _paused, weight: _weight, ...free } = steering;
  switch (action.kind) {
    case 'pause':
      return { ...steering, paused: said };
    case 'resume':
      return free;
    case 'weight':
      return { ...steering, weight: { ...said, points: action.weight } };
    case 'abort':
      return { ...steering, aborted: said };
    case 'promote':
      return record.confirms === undefined
        ? { ...free, promoted: said }
        : { ...free, confirmed: [...steering.confirmed, record.confirms] };
  }
}

/** What rollouts are told: written down first, then in force at once. */
export interface Controls {
  put(rollout: RolloutKey, control: ControlRecord): void;
  list(rollout: RolloutKey): readonly ControlRecord[];
  steering(rollout: RolloutKey): Steering;
  /** Fires when the rollout is aborted, at once when it has been. */
  abortSignal(rollout: RolloutKey): AbortSignal;
  /** Its rollout is over: what is kept in memory of it goes. */
  forget(rollout: RolloutKey): void;
}

export function createControls(store: EvidenceStore, onChange: (project: string) => void): Controls {
  const known = new Map<string, { readonly records: ControlRecord[]; readonly abort: AbortController }>();
  const of = (rollout: RolloutKey) => {
    const key = `${rollout.project}/${rollout.rollout}`;
    const there = known.get(key);
    if (there !== undefined) return there;
    const fresh = { records: [...store.controls(rollout)], abort: new AbortController() };
    if (steeringAfter(fresh.records).aborted !== undefined) fresh.abort.abort();
    known.set(key, fresh);
    return fresh;
  };
  return {
    put: (rollout, control) => {
      const { records, abort } = of(rollout);
      store.addControl(rollout, control);
      records.push(control);
      if (control.action.kind === 'abort') abort.abort();
      onChange(rollout.project);
    },
    list: (rollout) => store.controls(rollout),
    steering: (rollout) => steeringAfter(of(rollout).records),
    abortSignal: (rollout) => of(rollout).abort.signal,
    forget: ({ project, rollout }) => void known.delete(`${project}/${rollout}`),
  };
}
