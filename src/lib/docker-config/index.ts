export { registryNameOf, serverAddressOf, type RegistryLogin } from './config.ts';
export { dropLogin, findLogin, keepLogin, type LoginPlace } from './store.ts';
