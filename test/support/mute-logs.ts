/** Drops the handlers' log lines from stdout and returns the undo. */
export function muteLogs(): () => void {
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = (chunk: string | Uint8Array, ...rest: never[]) =>
    (typeof chunk === 'string' && chunk.startsWith('{"time":')) || write(chunk, ...rest);
  return () => {
    process.stdout.write = write;
  };
}

export async function quietly<T>(work: () => Promise<T>): Promise<T> {
  const unmute = muteLogs();
  try {
    return await work();
  } finally {
    unmute();
  }
}
