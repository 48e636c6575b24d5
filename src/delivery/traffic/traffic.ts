/** One of the proxy's empty backends, waiting in a pool: `lane-000`, `lane-001` … A set takes one. */
export type LaneId = string;

/** `<project>/<service>/<container port>`: what a release serves. Several published ports may lead to one route. */
export type RouteId = string;

/** Who gets a route's requests. A client stays on its side while the weight grows. */
export interface RouteShare {
  readonly stable: LaneId;
  readonly candidate: LaneId | null;
  /** The candidate's share in basis points, 0 to 10,000. */
  readonly weight: number;
  /** Clients that get the candidate whatever the weight is: they come before the weighted choice. */
  readonly cohorts?: readonly Cohort[];
  /** Requests of this route are reported one by one to the listeners of `onRequests`. */
  readonly observed?: boolean;
}

/** A kind of client. Header names are compared without case, all else as it is. */
export type Cohort =
  /** Sends this header; with any value when `value` is absent. */
  | { readonly kind: 'header'; readonly name: string; readonly value?: string }
  | { readonly kind: 'cookie'; readonly name: string; readonly value?: string }
  /** Connects from one of these networks (CIDR, IPv4 or IPv6). What headers say of the client does not count. */
  | { readonly kind: 'address'; readonly networks: readonly string[] };

/** Requests that ask for a preview of a set before any traffic moves to it. */
export type PreviewMatch =
  | { readonly header: { readonly name: string; readonly value: string } }
  /** This host name, on every port that leads to the route. */
  | { readonly host: string };

export interface Preview {
  readonly lane: LaneId;
  readonly match: PreviewMatch;
}

/** Settings of one route; what is absent has its default. */
export interface RouteOptions {
  /** Plain HTTP requests are answered with a redirect to the same address by https: on 443, or this port. Default: no. */
  readonly redirectToHttps?: boolean | number;
  /** Requests are written to the project's access log; `with-query` keeps query strings. Default: no. */
  readonly accessLog?: boolean | 'with-query';
  /**
   * Requests carry an `X-Request-ID` to the application, and their responses to the client: the one that they came
   * with when it is from this machine or a private network, else a new one. Default: when there is an access log.
   */
  readonly requestId?: boolean;
  /** Longer request bodies are answered 413 before the application sees them. Default: no limit. */
  readonly maxBodyBytes?: number;
}

/** One finished request on an observed route, as the proxy logged it. */
export interface RequestSample {
  /** When it ended, in milliseconds since 1970. */
  readonly atMs: number;
  readonly route: RouteId;
  /** The lane that answered or should have. */
  readonly lane: LaneId;
  /**
   * `weight`: by the share alone, thus a fair comparison; `cohort` and `preview` asked for their side; `client`: it
   * named its bucket in a header; `probe`: by the share, but no client asked, it is one of the rollout's own.
   */
  readonly chosenBy: 'weight' | 'cohort' | 'preview' | 'client' | 'probe';
  /** As the client saw it; -1: the client was gone before any. */
  readonly status: number;
  /** From the whole request head to that of the answer, waiting and connecting included, to the microsecond; -1: none came. */
  readonly responseMs: number;
  /** From the whole request head to the last byte of the answer. */
  readonly totalMs: number;
  /** Why the client did not get a whole answer of the application; absent: it did, or left by itself. */
  readonly loss?: LossKind;
  /** The answer was cut because the drain deadline of its instance had come: declared, and no loss. */
  readonly isDrained?: true;
  /** The application itself answered 5xx. */
  readonly appError: boolean;
  readonly method?: string;
  /** The client's bucket, 0 to 9,999, which several may share; absent where the weight did not choose between two sides. */
  readonly client?: number;
  /** The client brought no bucket and got this one by chance: its first request, or it keeps no cookies. */
  readonly isNewClient?: true;
}

/**
 * `refused`: no connection to an instance could be made; `reset`: the connection ended before an answer;
 * `truncated`: it ended within the answer; `proxy-error`: the proxy gave up (no instance, a full queue, a timeout).
 */
export type LossKind = 'refused' | 'reset' | 'truncated' | 'proxy-error';

/** Where one instance listens; the name is unique in its lane: letters, digits, `.`, `_`, `-`. */
export interface InstanceAddress {
  readonly name: string;
  /** IPv4 or IPv6 address, reachable from this machine. */
  readonly address: string;
  readonly port: number;
  /** What the application speaks; `h2` is HTTP/2 without TLS, as gRPC has it. Default `h1`. */
  readonly protocol?: 'h1' | 'h2';
}

/**
 * `up` takes requests; `down` failed its connection checks; `draining` takes no new requests and finishes those it
 * has.
 */
export type InstanceState = 'up' | 'down' | 'draining';

export interface LaneInstance extends InstanceAddress {
  readonly state: InstanceState;
  /** Requests and long connections (WebSocket, SSE) that run now. */
  readonly sessions: number;
}

export interface Lane {
  readonly id: LaneId;
  readonly instances: readonly LaneInstance[];
  readonly sessions: number;
}

/** `http` goes through the proxy; `tcp` and `udp` go straight to the instances, by the kernel. */
export type PortProtocol = 'http' | 'tcp' | 'udp';

/** A port of the host. `http` and `tcp` on the same number exclude each other. */
export interface PortKey {
  readonly port: number;
  readonly protocol: PortProtocol;
  /** Only connections to this address of the host; every address when it is absent. */
  readonly hostAddress?: string;
}

/**
 * Which requests on an `http` port are meant. Exact hosts come before wildcards, these before none; within one host
 * the longest path wins. A host that has no path for a request leaves it to the next.
 */
export interface RouteMatch {
  /** `example.org`, or `*.example.org` for exactly one more label. Absent: every host. */
  readonly host?: string;
  /** A prefix of whole segments: `/api` matches `/api` and `/api/x`, not `/apix`. Absent: every path. */
  readonly path?: string;
}

export interface PublishedPort extends PortKey, RouteMatch {
  readonly route: RouteId;
  /** Clients speak TLS on it, `http` only. It is a matter of the port: the last word counts for all routes on it. */
  readonly tls?: boolean;
}

/** A certificate that clients get when they ask for one of these hosts. */
export interface InstalledCertificate {
  /** Whose it is: `<project>/<service>`. */
  readonly name: string;
  /** Host names and wildcards; none: those that it says itself. */
  readonly hosts: readonly string[];
  /** SHA-1 of the certificate, capital hexadecimal digits. */
  readonly fingerprint: string;
  /** Clients that ask for a host without a certificate, or for none, get it too; the first by name, if several are. */
  readonly isDefault: boolean;
  readonly notAfterMs: number;
}

/** With its secret: the chain and its key, PEM, nothing between. At most 15,000 bytes. */
export interface Certificate extends InstalledCertificate {
  readonly pem: string;
}

export interface TcpTarget {
  /** IPv4 address of an instance. */
  readonly address: string;
  readonly port: number;
  /** Share of new connections in basis points; those of all targets together are 10,000. Absent: equal parts. */
  readonly weight?: number;
}

export interface TrafficState {
  /** The proxy's worker: the same before and after any number of deployments. */
  readonly pid: number;
  /** Lanes that have instances or that a route names. */
  readonly lanes: readonly Lane[];
  /** How many lanes the pool has in all. */
  readonly laneCount: number;
  readonly routes: ReadonlyMap<RouteId, RouteShare>;
  readonly tcpRoutes: ReadonlyMap<RouteId, readonly TcpTarget[]>;
  readonly publishedPorts: readonly PublishedPort[];
  readonly previews: ReadonlyMap<RouteId, Preview>;
  readonly routeOptions: ReadonlyMap<RouteId, RouteOptions>;
  readonly certificates: readonly InstalledCertificate[];
}

/** Totals since the proxy started: compare two readings. */
export interface LaneCounters {
  /** Requests that were given to this lane. */
  readonly requests: number;
  /** Responses to clients by status class, whoever made them. */
  readonly responses: {
    readonly '1xx': number;
    readonly '2xx': number;
    readonly '3xx': number;
    readonly '4xx': number;
    readonly '5xx': number;
    readonly other: number;
  };
  /** 5xx answers of the applications themselves. */
  readonly appErrors: number;
  /** 5xx answers that the proxy had to make because no instance gave one: these are lost requests. */
  readonly proxyErrors: number;
  /** Requests lost because no connection to an instance could be made. */
  readonly connectionErrors: number;
  /** Requests lost because the response broke (reset, invalid, cut before its headers). */
  readonly responseErrors: number;
  /** Connection attempts that were made again at the same instance, and at another one; nothing was lost by them. */
  readonly retries: number;
  readonly redispatches: number;
  /** Transfers cut by the client, and by the instance. */
  readonly clientAborts: number;
  readonly instanceAborts: number;
  /** Now: requests waiting for an instance, and running. */
  readonly queued: number;
  readonly sessions: number;
  /** Averages over the last 1,024 requests: first byte, and all of it. */
  readonly responseMs: number;
  readonly totalMs: number;
}

export interface TrafficCounters {
  readonly lanes: ReadonlyMap<LaneId, LaneCounters>;
  readonly frontend: {
    readonly connections: number;
    readonly sessions: number;
    readonly requests: number;
    readonly requestErrors: number;
    /** Requests to a published port whose route has no lane: answered 503 by the proxy. */
    readonly unrouted: number;
    readonly bytesIn: number;
    readonly bytesOut: number;
  };
  /** What listeners of `onRequests` were given, and what was lost on the way to them, since this daemon started. */
  readonly samples: { readonly delivered: number; readonly dropped: number };
}

/**
 * When traffic moved, milliseconds since 1970 to the microsecond: from before the one write that decides to its answer.
 * What is written down, read and prepared for it happened before.
 */
export interface Moved {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** Who holds a port of the host already. */
export interface PortHolder {
  readonly address: string;
  readonly pid?: number;
  readonly program?: string;
}

/**
 * The port that moves traffic. Each method that changes something is one call to the outside, may be repeated
 * (the second time changes nothing), and is durable when it returns: after a crash of the proxy, of the daemon or
 * of the machine `ensure()` brings back exactly what was set.
 */
export interface Traffic {
  /** Starts the proxy, or adopts the running one, and makes it agree with what was set. Never reloads it. */
  ensure(): Promise<void>;
  observe(): Promise<TrafficState>;
  /** Puts an instance into a lane, ready for requests; one that drains is put back. */
  addInstance(lane: LaneId, instance: InstanceAddress): Promise<void>;
  /** No new requests; running ones and long connections go on. */
  drainInstance(lane: LaneId, name: string): Promise<void>;
  /** Puts a draining instance back into traffic. One that is not there stays away. */
  undrainInstance(lane: LaneId, name: string): Promise<void>;
  /** Requests and long connections that run now, by instance. One question to the proxy: may be asked often. */
  sessions(lanes: readonly LaneId[]): Promise<ReadonlyMap<LaneId, ReadonlyMap<string, number>>>;
  /** Cuts what still runs on a drained instance: only at the drain deadline. */
  closeSessions(lane: LaneId, name: string): Promise<void>;
  /**
   * Takes an instance out of its lane.
   * @throws UserError `instance-busy` (conflict) while sessions run on it
   */
  removeInstance(lane: LaneId, name: string): Promise<void>;
  /** The switch: one atomic write in the proxy. */
  setRoute(route: RouteId, share: RouteShare): Promise<Moved>;
  /** The switch of a whole release: all of these routes change at the same instant. */
  setRoutes(shares: ReadonlyMap<RouteId, RouteShare>): Promise<Moved>;
  /** Requests that match reach this lane, whatever the route's share is; null ends the preview. */
  setPreview(route: RouteId, lane: LaneId | null, match?: PreviewMatch): Promise<void>;
  /** Replaces all settings of a route. */
  setRouteOptions(route: RouteId, options: RouteOptions): Promise<void>;
  /**
   * Calls the listener with the finished requests of observed routes, in batches. Returns what ends it. While nobody
   * listens, or the daemon is away, samples are dropped; nothing ever waits for a listener.
   */
  onRequests(listener: (batch: readonly RequestSample[]) => void): () => void;
  /** Requests with this value in `X-Bascule-Probe` are the rollout's own. A secret; no application ever sees it. */
  probeToken(): string;
  /** A route that is not there is answered 503. TCP routes lose their targets. Its preview and options go too. */
  removeRoute(route: RouteId): Promise<void>;
  /** New connections go to these targets, in turn; established ones stay where they are. */
  setTcpRoute(route: RouteId, targets: readonly TcpTarget[]): Promise<Moved>;
  /**
   * Opens a port of the host for a route, or for the requests on it that match a host and a path.
   * @throws UserError `port-in-use` (conflict) naming the holder, `port-published` when another route has the same
   *   requests of it already
   */
  publishPort(port: PublishedPort): Promise<void>;
  unpublishPort(port: PortKey & RouteMatch): Promise<void>;
  /** New connections get it at once, in place of the one of the same name; established ones go on. */
  installCertificate(certificate: Certificate): Promise<void>;
  removeCertificate(name: string): Promise<void>;
  /** Those that are to serve, whether the proxy runs or not. */
  certificates(): readonly InstalledCertificate[];
  /** Who signed them, by fingerprint. */
  certificateIssuers(): ReadonlyMap<string, string>;
  /** What is answered at `/.well-known/acme-challenge/<token>`, on all published ports (RFC 8555, 8.3); null: no longer. Not durable. */
  setChallenge(token: string, answer: string | null): Promise<void>;
  /** Who holds a port besides Bascule; undefined when it is free (or published by us). For checks before a rollout. */
  portHolder(port: PortKey): Promise<PortHolder | undefined>;
  /** Of these lanes, or of all used ones. */
  counters(lanes?: readonly LaneId[]): Promise<TrafficCounters>;
  /** The daemon ends: stops watching the proxy, which goes on serving. */
  close(): Promise<void>;
  /** Ends the proxy and gives every port back: after the last project's `down`, or to uninstall. */
  stop(): Promise<void>;
}
