export { removeContext, useContext, writeContext } from './contexts.ts';
export { registryNameOf, type RegistryLogin } from './config.ts';
export { dropLogin, findLogin, findLogins, keepLogin, loginPlaceOf, type LoginPlace } from './store.ts';
