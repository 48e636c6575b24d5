import {
  createRegistryClient,
  type RegistryClient,
  type RegistryClientOptions,
  type TransferEvent,
} from '../../src/engine/registry/index.ts';
import { silentLog } from '../../src/lib/log.ts';
import { ImageBench } from './image-bench.ts';

type Options = Partial<Pick<RegistryClientOptions, 'limits' | 'findCredential'>> & {
  readonly settings?: Partial<RegistryClientOptions['settings']>;
  /** What another process has left. */
  readonly directory?: string;
};

/** An image store of its own with a client of its own. */
export class RegistryBench extends ImageBench {
  #client: RegistryClient | undefined;
  readonly transfers: TransferEvent[] = [];
  readonly #options: Options;

  constructor(options: Options = {}) {
    super(options.directory);
    this.#options = options;
  }

  get client(): RegistryClient {
    return this.#client!;
  }

  override async open(): Promise<this> {
    await super.open();
    this.#client = await createRegistryClient({
      images: this.store,
      directory: this.path('engine', 'registry'),
      settings: { mirrors: {}, insecure: [], certificateFolders: [], proxyEnvironment: {}, ...this.#options.settings },
      findCredential: this.#options.findCredential ?? (async () => undefined),
      log: silentLog,
      limits: { firstDelayMs: 5, idleMs: 5_000, ...this.#options.limits },
    });
    return this;
  }

  override async close(): Promise<void> {
    await this.#client?.close();
    await super.close();
  }

  readonly onProgress = (event: TransferEvent): void => void this.transfers.push(event);

  /** The states of layers that were told, each once, sorted. */
  states(): readonly string[] {
    const states = this.transfers.flatMap((event) => (event.kind === 'layer' ? [event.state] : []));
    return [...new Set(states)].toSorted();
  }
}
