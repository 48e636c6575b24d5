export { openDockerFleet } from './docker/driver.ts';
export type { Fleet } from './fleet.ts';
