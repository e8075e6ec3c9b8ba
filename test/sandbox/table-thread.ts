import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parentPort } from 'node:worker_threads';
import dynalite from 'dynalite';

/** Empty tables on loopback in a thread of their own: beside the SDK, the table is what costs most of a simulated day. */
export interface TableRequest {
  id: number;
  /** The port of a server to close; absent: opens one. */
  close?: number;
}

export interface TableAnswer {
  id: number;
  port: number;
}

const servers = new Map<number, Server>();

async function open(): Promise<number> {
  const server = dynalite({ createTableMs: 0 });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  servers.set(port, server);
  return port;
}

async function close(port: number): Promise<number> {
  const server = servers.get(port);
  servers.delete(port);
  server?.closeAllConnections();
  await new Promise((resolve) => server?.close(resolve));
  return port;
}

// Dynalite throws where a request outlives its table: nobody waits for that answer, and the other tables are fine.
process.on('uncaughtException', (error) => {
  if (error.message !== 'Database is closed') throw error;
});

parentPort?.on('message', ({ id, close: port }: TableRequest) => {
  void (port === undefined ? open() : close(port)).then((port) => {
    parentPort?.postMessage({ id, port } satisfies TableAnswer);
  });
});
