export { removeUser, setPassword, userNames } from './auth/password-file.ts';
export { serveBeside, type RegistryBeside } from './beside.ts';
export type { RegistryServer, RegistryServerSettings } from './face.ts';
export { openRegistryServer } from './open.ts';
export { usersFileOf } from './settings.ts';
export { startRegistry } from './start.ts';
