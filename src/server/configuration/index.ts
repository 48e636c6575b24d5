export { engineAddressOf, engineSocketOf } from './engine-address.ts';
export {
  getSetting,
  listSettings,
  readConfiguration,
  setSetting,
  unsetSetting,
  type Override,
  type Setting,
} from './file.ts';
export { configurationSchema, type Configuration } from './schema.ts';
