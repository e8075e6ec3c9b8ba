/** Runs `work` without the handlers' log lines, which go to stdout as in Lambda and would drown everything else. */
export async function quietly<T>(work: () => Promise<T>): Promise<T> {
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = ((chunk: string | Uint8Array, ...rest: never[]) =>
    typeof chunk === 'string' && chunk.startsWith('{"time":')
      ? true
      : write(chunk, ...rest));
  try {
    return await work();
  } finally {
    process.stdout.write = write;
  }
}
