import { Agent, request, type RequestOptions } from 'node:https';
import { KubernetesError, kubernetesError } from '../errors/kubernetes-error.ts';

export interface KubernetesObject {
  apiVersion?: string;
  kind?: string;
  metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    resourceVersion?: string;
    uid?: string;
    creationTimestamp?: string;
    generation?: number;
    managedFields?: { manager?: string; time?: string }[];
    ownerReferences?: { kind: string; name: string; controller?: boolean }[];
  };
}

const connectMs = 5_000;
const answerMs = 20_000;
/** An idle connection is closed after this; a frozen Lambda would find it dead anyway. */
const idleMs = 10_000;

/** The API server of one cluster, trusted by the cluster's own CA only. Paths are the API's own. */
export class KubernetesClient {
  readonly #endpoint: URL;
  readonly #agent: Agent;
  readonly #token: () => Promise<string>;

  constructor(endpoint: string, certificateAuthority: string, token: () => Promise<string>) {
    this.#endpoint = new URL(endpoint);
    this.#agent = agentFor(certificateAuthority);
    this.#token = token;
  }

  /** Undefined only if the API server itself says NotFound. */
  async get<T extends KubernetesObject>(path: string): Promise<T | undefined> {
    try {
      return await this.#json<T>('GET', path);
    } catch (error) {
      if (error instanceof KubernetesError && error.name === 'NotFound') return undefined;
      throw error;
    }
  }

  async list<T extends KubernetesObject>(path: string): Promise<T[]> {
    const { items } = await this.#json<{ items: T[] | null }>('GET', path);
    return items ?? [];
  }

  /** The answer's text as it came: logs, and what a proxied service says. @throws KubernetesError on any status of 300 or more */
  async read(path: string): Promise<string> {
    return this.#call('GET', path);
  }

  async create<T extends object>(path: string, body: object): Promise<T> {
    return this.#json('POST', path, body);
  }

  /** Fails with Conflict unless the object still has the `resourceVersion` in `body`. */
  async replace<T extends KubernetesObject>(path: string, body: T): Promise<T> {
    return this.#json('PUT', path, body);
  }

  /** JSON merge patch. */
  async patch<T extends KubernetesObject>(path: string, body: object): Promise<T> {
    return this.#json('PATCH', path, body, 'application/merge-patch+json');
  }

  /** Gone already is fine. */
  async delete(path: string): Promise<void> {
    try {
      await this.#call('DELETE', path);
    } catch (error) {
      if (!(error instanceof KubernetesError) || error.name !== 'NotFound') throw error;
    }
  }

  async #json<T>(method: string, path: string, body?: object, contentType?: string): Promise<T> {
    return JSON.parse(await this.#call(method, path, body, contentType)) as T;
  }

  async #call(method: string, path: string, body?: object, contentType = 'application/json'): Promise<string> {
    const headers = {
      accept: 'application/json',
      authorization: `Bearer ${await this.#token()}`,
      ...(body && { 'content-type': contentType }),
    };
    const answer = await send(this.#endpoint, path, { method, headers, agent: this.#agent }, body);
    if (answer.status >= 300) throw kubernetesError(`${method} ${path}`, answer.status, answer.body);
    return answer.body;
  }
}

/** Undefined if the API server answers at all; else what is wrong. No token is sent. */
export async function probeEndpoint(endpoint: string, certificateAuthority: string): Promise<string | undefined> {
  const agent = agentFor(certificateAuthority);
  try {
    await send(new URL(endpoint), '/version', { method: 'GET', agent });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    agent.destroy();
  }
}

function agentFor(certificateAuthority: string): Agent {
  return new Agent({ ca: Buffer.from(certificateAuthority, 'base64'), keepAlive: true, timeout: idleMs });
}

function send(
  endpoint: URL,
  path: string,
  options: RequestOptions,
  body?: object,
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = endpoint;
    const call = request({ ...options, hostname, port: port || 443, path, timeout: answerMs }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => {
        resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString() });
      });
    });
    const late = setTimeout(() => call.destroy(timedOut(`no connection to ${endpoint.host}`, connectMs)), connectMs);
    call.on('socket', (socket) => {
      if (call.reusedSocket) clearTimeout(late);
      else
        socket.once('secureConnect', () => {
          clearTimeout(late);
        });
    });
    call.on('timeout', () => call.destroy(timedOut(`no answer from ${endpoint.host}`, answerMs)));
    call.on('error', reject);
    call.on('close', () => {
      clearTimeout(late);
    });
    call.end(body && JSON.stringify(body));
  });
}

function timedOut(what: string, milliseconds: number): Error {
  const error = new Error(`${what} within ${milliseconds / 1000} s`);
  error.name = 'TimeoutError';
  return error;
}
