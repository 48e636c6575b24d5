import type { ImageEvent } from '../image/index.ts';
import type { NetworkEvent } from '../network/index.ts';
import type { Container, ContainerEvent } from '../runtime/index.ts';
import type { VolumeEvent } from '../volume/index.ts';
import type { Filters } from './filters.ts';

/** One event of `GET /events`. */
export interface EngineEvent {
  readonly type: 'container' | 'image' | 'network' | 'volume' | 'builder';
  readonly action: string;
  /** Of the container, image, network or volume. */
  readonly actorId: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** Nanoseconds since the epoch; strictly growing from event to event. */
  readonly atNs: bigint;
}

export type NewEvent = Omit<EngineEvent, 'atNs'>;

export const EVENT_FILTERS = [
  'config', 'container', 'daemon', 'event', 'image', 'label', 'network', 'node', 'plugin', 'scope', 'secret',
  'service', 'type', 'volume',
]; // prettier-ignore

/** Keeps the latest events and tells listeners of new ones, in order. */
export interface EventHub {
  publish(event: NewEvent): void;
  past(): readonly EngineEvent[];
  /** Gives the way to stop listening. */
  listen(listener: (event: EngineEvent) => void): () => void;
}

/** @param capacity events kept for `since` (Docker keeps 256) */
export function createEventHub(nowMs: () => number, capacity = 4_096): EventHub {
  const kept: EngineEvent[] = [];
  const listeners = new Set<(event: EngineEvent) => void>();
  let latest = 0n;
  return {
    publish: (event) => {
      const clock = BigInt(nowMs()) * 1_000_000n;
      latest = clock > latest ? clock : latest + 1n;
      const stamped = { ...event, atNs: latest };
      kept.push(stamped);
      if (kept.length > capacity) kept.shift();
      for (const listener of listeners) listener(stamped);
    },
    past: () => [...kept],
    listen: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** The JSON text of an event (API 1.51, EventMessage): `timeNano` needs more digits than a number has. */
export function eventText(event: EngineEvent): string {
  const isOldStyle = event.type === 'container' || event.type === 'image';
  const text = JSON.stringify({
    ...(isOldStyle ? { status: event.action } : {}),
    ...(isOldStyle && event.actorId !== '' ? { id: event.actorId } : {}),
    ...(event.type === 'container' && event.attributes['image'] ? { from: event.attributes['image'] } : {}),
    Type: event.type,
    Action: event.action,
    Actor: { ID: event.actorId, Attributes: event.attributes },
    scope: 'local',
    time: Number(event.atNs / 1_000_000_000n),
  });
  return `${text.slice(0, -1)},"timeNano":${event.atNs}}\n`;
}

/** Whether an event passes the filters of `GET /events` (moby daemon/events/filter.go). */
export function eventMatches(event: EngineEvent, filters: Filters): boolean {
  const { attributes, actorId } = event;
  const begins = (name: string): boolean =>
    filters.some(name, (wanted) => actorId.startsWith(wanted) || (attributes['name'] ?? '').startsWith(wanted));
  return (
    filters.isAny('type', event.type) &&
    filters.isAny('scope', 'local') &&
    filters.some('event', (wanted) => event.action === wanted || event.action.startsWith(`${wanted}: `)) &&
    filters.matchLabels(attributes) &&
    begins('container') &&
    begins('volume') &&
    begins('network') &&
    filters.some('image', (wanted) => namesImage(event, wanted)) &&
    !['config', 'daemon', 'node', 'plugin', 'secret', 'service'].some((name) => filters.has(name))
  );
}

function namesImage(event: EngineEvent, wanted: string): boolean {
  const name = event.attributes[event.type === 'image' ? 'name' : 'image'] ?? '';
  return [event.actorId, name, withoutTag(name)].includes(wanted);
}

function withoutTag(name: string): string {
  return name.replace(/:[^:/]*$/, '');
}

export function ofContainer(event: ContainerEvent): NewEvent {
  return { type: 'container', action: event.action, actorId: event.containerId, attributes: event.attributes };
}

/** An event that the door itself sees, e.g. `attach`, `top`, `commit`. */
export function doneTo({ id, spec }: Container, action: string, more: Readonly<Record<string, string>> = {}): NewEvent {
  const attributes = { ...spec.labels, ...more, image: spec.imageName, name: spec.name };
  return { type: 'container', action, actorId: id, attributes };
}

/** Docker tells of the volumes of a container when it starts and when it has ended. */
export function ofVolumesIn({ id, spec }: Container, action: 'mount' | 'unmount'): readonly NewEvent[] {
  return spec.mounts.flatMap((mount) => {
    if (mount.type !== 'volume') return [];
    const place = {
      container: id,
      destination: mount.target,
      driver: 'local',
      propagation: '',
      'read/write': String(!mount.readOnly),
    };
    const attributes: Record<string, string> = action === 'mount' ? place : { container: id, driver: 'local' };
    return { type: 'volume' as const, action, actorId: mount.name, attributes };
  });
}

export function ofImage(event: ImageEvent): NewEvent {
  const name = event.kind === 'untag' ? event.id : event.name; // as dockerd has it
  return { type: 'image', action: event.kind, actorId: event.id, attributes: { name } };
}

export function ofNetwork(event: NetworkEvent): NewEvent {
  const { network } = event;
  const type = network.driver === 'none' ? 'null' : network.driver;
  const container = 'sandboxId' in event ? { container: event.sandboxId } : {};
  return {
    type: 'network',
    action: event.kind,
    actorId: network.id,
    attributes: { ...container, name: network.name, type },
  };
}

export function ofVolume(event: VolumeEvent): NewEvent {
  return {
    type: 'volume',
    action: event.kind,
    actorId: event.volume.name,
    attributes: { driver: event.volume.driver },
  };
}
