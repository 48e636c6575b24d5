import type { RegistryClient, RegistryClientOptions } from './face.ts';

export async function createRegistryClient(_o: RegistryClientOptions): Promise<RegistryClient> {
  throw new Error('to come');
}
