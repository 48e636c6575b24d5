import type { ContainerState } from '../runtime/index.ts';

/** How long ago, in the words of Docker's `docker ps` (go-units `HumanDuration`). */
export function humanDuration(ms: number): string {
  const seconds = Math.floor(Math.max(0, ms) / 1_000);
  if (seconds < 1) return 'Less than a second';
  if (seconds === 1) return '1 second';
  if (seconds < 60) return `${seconds} seconds`;
  const minutes = Math.floor(seconds / 60);
  if (minutes === 1) return 'About a minute';
  if (minutes < 60) return `${minutes} minutes`;
  return hoursInWords(ms / 3_600_000);
}

function hoursInWords(exact: number): string {
  const hours = Math.floor(exact + 0.5);
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 14) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 60) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 730) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(Math.floor(exact) / 24 / 365)} years`;
}

/** The `Status` column of `docker ps` (moby container/state.go `String`). */
export function statusText(state: ContainerState, now: Date): string {
  const since = (date: Date | undefined): string => humanDuration(now.getTime() - (date ?? now).getTime());
  switch (state.status) {
    case 'paused':
      return `Up ${since(state.startedAt)} (Paused)`;
    case 'running':
      return `Up ${since(state.startedAt)}${healthText(state)}`;
    case 'restarting':
      return `Restarting (${state.exitCode}) ${since(state.finishedAt)} ago`;
    case 'removing':
      return 'Removal In Progress';
    case 'dead':
      return 'Dead';
    case 'created':
      return 'Created';
    case 'exited':
      return state.finishedAt === undefined ? 'Created' : `Exited (${state.exitCode}) ${since(state.finishedAt)} ago`;
  }
}

function healthText(state: ContainerState): string {
  if (state.health === undefined) return '';
  return state.health.status === 'starting' ? ' (health: starting)' : ` (${state.health.status})`;
}
