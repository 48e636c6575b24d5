import type { CatalogueFigures } from './figures.ts';

/** Seconds. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300] as const;

interface Series {
  count: number;
  sumSeconds: number;
  readonly buckets: number[];
}

/** One request that was answered, or broken off (status 0). */
export interface RequestFigures {
  readonly method: string;
  readonly endPoint: string;
  readonly status: number;
  readonly seconds: number;
}

export interface CollectionFigures {
  readonly blobs: number;
  readonly bytes: number;
}

/** What the registry has done since it started, for Prometheus. */
export class Metrics {
  readonly #requests = new Map<string, number>();
  readonly #durations = new Map<string, Series>();
  #open = 0;
  #sentBytes = 0;
  #receivedBytes = 0;
  #refusedLogins = 0;
  #collections = 0;
  #collected: CollectionFigures = { blobs: 0, bytes: 0 };

  /** A request has come. */
  begin(): void {
    this.#open += 1;
  }

  end({ method, endPoint, status, seconds }: RequestFigures): void {
    this.#open -= 1;
    const labels = labelsOf({ method, end_point: endPoint, status: String(status) });
    this.#requests.set(labels, (this.#requests.get(labels) ?? 0) + 1);
    if (status === 401) this.#refusedLogins += 1;
    const key = labelsOf({ method, end_point: endPoint });
    const series = this.#durations.get(key) ?? { count: 0, sumSeconds: 0, buckets: BUCKETS.map(() => 0) };
    series.count += 1;
    series.sumSeconds += seconds;
    for (const [index, most] of BUCKETS.entries()) if (seconds <= most) series.buckets[index]! += 1;
    this.#durations.set(key, series);
  }

  /** Bytes of a blob that went out. */
  sent(bytes: number): void {
    this.#sentBytes += bytes;
  }

  /** Bytes of a blob that came in whole. */
  received(bytes: number): void {
    this.#receivedBytes += bytes;
  }

  collected({ blobs, bytes }: CollectionFigures): void {
    this.#collections += 1;
    this.#collected = { blobs: this.#collected.blobs + blobs, bytes: this.#collected.bytes + bytes };
  }

  /** Prometheus' text format 0.0.4. */
  render(figures: CatalogueFigures): string {
    return [
      ...family(
        'bascule_registry_requests_total',
        'counter',
        'Requests by method, end point and status.',
        this.#requests,
      ),
      ...this.#durationLines(),
      ...single('requests_in_flight', 'gauge', 'Requests that are being answered.', this.#open),
      ...single('blob_sent_bytes_total', 'counter', 'Bytes of blobs sent.', this.#sentBytes),
      ...single('blob_received_bytes_total', 'counter', 'Bytes of blobs received.', this.#receivedBytes),
      ...single('unauthorized_total', 'counter', 'Requests answered with 401.', this.#refusedLogins),
      ...single('collections_total', 'counter', 'Garbage collections.', this.#collections),
      ...single('collected_blobs_total', 'counter', 'Blobs that collections deleted.', this.#collected.blobs),
      ...single('collected_bytes_total', 'counter', 'Bytes that collections freed.', this.#collected.bytes),
      ...single('repositories', 'gauge', 'Repositories.', figures.repositories),
      ...single('manifests', 'gauge', 'Manifests.', figures.manifests),
      ...single('tags', 'gauge', 'Tags.', figures.tags),
      ...single('uploads', 'gauge', 'Uploads that have begun and not ended.', figures.uploads),
      ...single('blobs', 'gauge', 'Blobs, those of the engine among them.', figures.blobs),
      ...single('shared_blobs', 'gauge', "Blobs that the engine's store has.", figures.sharedBlobs),
      ...single('blob_bytes', 'gauge', 'Bytes of blobs that the registry keeps itself.', figures.blobBytes),
      '',
    ].join('\n');
  }

  #durationLines(): readonly string[] {
    const name = 'bascule_registry_request_seconds';
    const head = [`# HELP ${name} How long requests took.`, `# TYPE ${name} histogram`];
    const lines = [...this.#durations].flatMap(([labels, { count, sumSeconds, buckets }]) => [
      ...BUCKETS.map((most, index) => `${name}_bucket{${labels},le="${most}"} ${buckets[index]}`),
      `${name}_bucket{${labels},le="+Inf"} ${count}`,
      `${name}_sum{${labels}} ${sumSeconds}`,
      `${name}_count{${labels}} ${count}`,
    ]);
    return [...head, ...lines];
  }
}

function family(name: string, type: string, help: string, rows: ReadonlyMap<string, number>): readonly string[] {
  const lines = [...rows].map(([labels, value]) => `${name}{${labels}} ${value}`);
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines];
}

function single(name: string, type: string, help: string, value: number): readonly string[] {
  const full = `bascule_registry_${name}`;
  return [`# HELP ${full} ${help}`, `# TYPE ${full} ${type}`, `${full} ${value}`];
}

function labelsOf(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${value}"`)
    .join(',');
}
