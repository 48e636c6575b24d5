import type { ContainerAction, ContainerEvent } from './face.ts';
import type { Entry } from './containers.ts';

export type Emit = (entry: Entry, action: ContainerAction, more?: Readonly<Record<string, string>>) => void;

/** Docker's attributes of a container's event: its labels, image and name, and what belongs to the action. */
export function renderEvent(
  entry: Pick<Entry, 'id' | 'spec'>,
  action: ContainerAction,
  o: { readonly at: Date; readonly more?: Readonly<Record<string, string>> },
): ContainerEvent {
  const { labels, imageName, name } = entry.spec;
  return {
    action,
    containerId: entry.id,
    at: o.at,
    attributes: { ...labels, image: imageName, name, ...o.more },
  };
}
