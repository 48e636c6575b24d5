export { registryNameOf, type RegistryLogin } from './config.ts';
export { dropLogin, findLogin, keepLogin, loginPlaceOf, type LoginPlace } from './store.ts';
