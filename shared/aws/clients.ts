import { NodeHttpHandler } from '@smithy/node-http-handler';
import type { AwsCredentialIdentityProvider } from '@smithy/types';

export interface ClientConfig {
  region: string;
  credentials?: AwsCredentialIdentityProvider;
  requestHandler: NodeHttpHandler;
  maxAttempts: number;
}

export type ClientConstructor<Client> = new (config: ClientConfig) => Client;

/** One connection pool for all clients of the process. By default the handler only warns when `requestTimeout` is over. */
export const httpHandler = new NodeHttpHandler({
  connectionTimeout: 5_000,
  requestTimeout: 20_000,
  throwOnRequestTimeout: true,
});

/** The SDK retries in milliseconds (3 attempts); longer waits belong to the state machine. */
export function newClient<Client>(
  Constructor: ClientConstructor<Client>,
  region: string,
  credentials?: AwsCredentialIdentityProvider,
): Client {
  return new Constructor({ region, requestHandler: httpHandler, maxAttempts: 3, ...(credentials && { credentials }) });
}

/** Clients by class and place, each made on first use. */
export class ClientCache {
  readonly #clients = new Map<unknown, Map<string, unknown>>();

  get<Client>(Constructor: ClientConstructor<Client>, place: string, make: () => Client): Client {
    const byPlace = this.#clients.get(Constructor) ?? new Map<string, unknown>();
    this.#clients.set(Constructor, byPlace);
    const kept = byPlace.get(place);
    if (kept instanceof Constructor) return kept;
    const made = make();
    byPlace.set(place, made);
    return made;
  }
}

const hubClients = new ClientCache();

/** A client of the hub account with the function's own role; kept for the life of the process. */
export function hubClient<Client>(Constructor: ClientConstructor<Client>): Client {
  const region = process.env.AWS_REGION ?? 'us-east-1';
  const place = [region, process.env.AWS_ENDPOINT_URL, process.env.AWS_ENDPOINT_URL_DYNAMODB].join(' ');
  return hubClients.get(Constructor, place, () => newClient(Constructor, region));
}
