import { spawn } from 'node:child_process';

/** Runs the framework's own command line; resolves with its exit code. */
export function serverless(args: readonly string[], environment: NodeJS.ProcessEnv = process.env): Promise<number> {
  const child = spawn(process.execPath, ['node_modules/serverless/bin/serverless.js', ...args], {
    stdio: 'inherit',
    env: { ...environment, SLS_TELEMETRY_DISABLED: '1', SLS_NOTIFICATIONS_MODE: 'off' },
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => {
      resolve(code ?? 1);
    });
  });
}
