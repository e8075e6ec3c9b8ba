import { readFile, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build, type Plugin } from 'esbuild';
import { deployedFunctions } from './registry.ts';

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
      // Node's build of yaml is CommonJS; the browser's is an ES module with the same parser.
      alias: { yaml: resolve('node_modules/yaml/browser/index.js') },
      banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
      logLevel: 'error',
    });
  }
}

/** Cold starts grow with the bundle: at most so many bytes, and less for a read whose answer a person waits for. */
const limits = { minified: 1_200_000, gzipped: 330_000, apiRead: 550_000 };

export interface BundleSize {
  key: string;
  minified: number;
  gzipped: number;
  tooBig: boolean;
}

/** Bytes of every bundle in dist/. */
export async function bundleSizes(): Promise<BundleSize[]> {
  const sizes = deployedFunctions.map(async ({ key, route }) => {
    const code = await readFile(`${bundleFolder}/${key}/index.mjs`);
    const minified = code.length;
    const gzipped = gzipSync(code).length;
    const limit = route?.method === 'GET' ? limits.apiRead : limits.minified;
    return { key, minified, gzipped, tooBig: minified > limit || gzipped > limits.gzipped };
  });
  return Promise.all(sizes);
}
