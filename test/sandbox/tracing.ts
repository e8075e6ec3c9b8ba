import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { ClientRequest } from 'node:http';

const header = 'x-sandbox-invocation';

interface Traced {
  invocation: number;
  /** Called for every request, with the host it goes to and, for JSON protocols, the operation. */
  sends(host: string, operation: string): void;
}

const current = new AsyncLocalStorage<Traced>();

function mark(message: unknown): void {
  const traced = current.getStore();
  if (!traced) return;
  const { request } = message as { request: ClientRequest };
  request.setHeader(header, String(traced.invocation));
  const target = String(request.getHeader('x-amz-target') ?? '');
  traced.sends(String(request.getHeader('host')), target.split('.').at(-1) ?? '');
}

/** Marks every HTTP request of `work` with the number of the invocation, without any change in the product. */
export function trace<T>(traced: Traced, work: () => Promise<T>): Promise<T> {
  return current.run(traced, work);
}

export function startTracing(): () => void {
  subscribe('http.client.request.created', mark);
  const undoTimers = shortenBackoff();
  return () => {
    undoTimers();
    unsubscribe('http.client.request.created', mark);
  };
}

/** The SDK's pauses before its second and third attempt are shorter than this; its timeouts are longer. */
const backoffMs = 1000;

/**
 * Virtual time does not advance while a function runs, so the SDK's pauses between attempts are skipped: with every
 * 20th call throttled they would take nine tenths of the real time.
 */
function shortenBackoff(): () => void {
  const { setTimeout } = globalThis;
  const shortened = (callback: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) =>
    setTimeout(callback, current.getStore() && ms < backoffMs ? 0 : ms, ...args);
  globalThis.setTimeout = Object.assign(shortened, setTimeout);
  return () => {
    globalThis.setTimeout = setTimeout;
  };
}

/** The invocation that sent a request, for the record of the call. */
export function invocationOf(headers: Record<string, string | string[] | undefined>): { invocation?: number } {
  const value = headers[header];
  return typeof value === 'string' ? { invocation: Number(value) } : {};
}
