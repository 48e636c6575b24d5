import type { TransferEvent, TransferResult } from '../engine-registries.ts';
import type { LoginBody, PullBody, PushBody } from '../wire-registries.ts';
import { type ApiRequest, callJson } from './transport.ts';

interface Watching {
  onEvent(event: TransferEvent): void;
  readonly signal: AbortSignal;
}

/** Calls about registries. */
export interface RegistryCalls {
  pullImage(body: PullBody, o: Watching): Promise<TransferResult>;
  pushImage(body: PushBody, o: Watching): Promise<TransferResult>;
  /** Asks the registry; nothing is kept. */
  loginTo(body: LoginBody): Promise<{ readonly identityToken?: string }>;
}

type Follow = <T>(call: ApiRequest, onEvent: (event: TransferEvent) => void) => Promise<T>;

export function registryCalls(
  socketPath: string,
  o: { until: Pick<ApiRequest, 'signal'>; follow: Follow },
): RegistryCalls {
  const transfer =
    (path: string) =>
    (body: PushBody, { onEvent, signal }: Watching) =>
      o.follow<TransferResult>({ method: 'POST', path, body, signal }, onEvent);
  return {
    pullImage: transfer('/v1/images/pull'),
    pushImage: transfer('/v1/images/push'),
    loginTo: (body) => callJson(socketPath, { method: 'POST', path: '/v1/registries/login', body, ...o.until }),
  };
}
