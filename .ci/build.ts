import { rm } from 'node:fs/promises';
import { build, type Plugin } from 'esbuild';
import { deployedFunctions } from './functions.ts';

export const bundleFolder = 'dist';

/**
 * Lambda hands credentials over in the environment, where the SDK looks first; it imports its other providers (profiles, SSO,
 * processes, containers) only when it finds none there, so they stay out of the bundle.
 */
const onlyEnvironmentCredentials: Plugin = {
  name: 'only-environment-credentials',
  setup(bundle) {
    bundle.onResolve({ filter: /^@(aws-sdk|smithy)\/credential-provider-/ }, ({ path, kind }) =>
      kind === 'dynamic-import' ? { path, external: true } : undefined,
    );
  },
};

/** Bundles every function into dist/<key>/index.mjs, self-contained: the runtime's own SDK lacks the CUR client. */
export async function buildFunctions(): Promise<void> {
  await rm(bundleFolder, { recursive: true, force: true });
  for (const { key, entry } of deployedFunctions) {
    await build({
      entryPoints: [entry],
      outfile: `${bundleFolder}/${key}/index.mjs`,
      bundle: true,
      minify: true,
      keepNames: false,
      platform: 'node',
      target: 'node24',
      format: 'esm',
      // The SDK's ES modules tree-shake; its CommonJS builds do not.
      mainFields: ['module', 'main'],
      sourcemap: true,
      sourcesContent: false,
      legalComments: 'none',
      plugins: [onlyEnvironmentCredentials],
      banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
      logLevel: 'error',
    });
  }
}

if (import.meta.main) {
  await buildFunctions();
  console.log(`${deployedFunctions.length} functions bundled into ${bundleFolder}/`);
}
