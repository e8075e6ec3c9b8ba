import { Worker } from 'node:worker_threads';
import type { TableAnswer, TableRequest } from './table-thread.ts';

interface TableServer {
  endpoint: string;
  close(): Promise<void>;
}

let thread: Worker | undefined;
let lastId = 0;

/** A DynamoDB without tables. All servers of a process run in one thread, which does not keep the process alive. */
export async function startTableServer(): Promise<TableServer> {
  const port = await ask({});
  return {
    endpoint: `http://127.0.0.1:${port}`,
    async close() {
      await ask({ close: port });
    },
  };
}

function startThread(): Worker {
  const worker = new Worker(new URL('./table-thread.ts', import.meta.url));
  worker.once('exit', () => {
    thread = undefined;
  });
  return worker;
}

function ask(request: Omit<TableRequest, 'id'>): Promise<number> {
  const worker = (thread ??= startThread());
  const id = ++lastId;
  worker.ref();
  return new Promise((resolve, reject) => {
    const answered = (answer: TableAnswer) => {
      if (answer.id !== id) return;
      settled();
      resolve(answer.port);
    };
    const settled = () => {
      worker.off('message', answered);
      worker.off('error', reject);
      if (worker.listenerCount('message') === 0) worker.unref();
    };
    worker.on('message', answered);
    worker.once('error', reject);
    worker.postMessage({ id, ...request } satisfies TableRequest);
  });
}
