import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import js from '@eslint/js';
import { defineConfig } from 'eslint/config';
import simpleImportSort from 'eslint-plugin-simple-import-sort';
import tseslint from 'typescript-eslint';

/** The type assertions of product code but `as const`, by file and text, each with its reason. At most twenty; what can be parsed or guarded is not listed. */
/** @type {Record<string, Record<string, string>>} */
const assertions = {
  'shared/aws/bucket.ts': {
    'region as BucketLocationConstraint': 'AWS adds regions; the enum of the SDK has those of its release',
  },
  'shared/aws/policy-document.ts': {
    "JSON.parse(text.startsWith('%') ? decodeURIComponent(text) : text) as { Version?: string; Statement?: Statement | Statement[]; }":
      'statements of others are compared and put back as they are; a schema would have to know every form of them',
    'principal as Record<string, string | string[]>': "the same; every other form of a principal is '*'",
  },
  'shared/http/request-parser.ts': {
    'input as RouteInput<R>': 'the type follows from the schemas of the route, each of which has parsed its part',
  },
  'shared/kubernetes/client.ts': {
    'JSON.parse(await this.#call(method, path, body, contentType)) as T':
      'the caller names the type of the object that the API server returns',
  },
};

const listed = Object.values(assertions).flatMap((texts) => Object.keys(texts));
if (listed.length > 20) throw new Error('More than twenty type assertions are listed.');
if (listed.some((text) => /as (any|never|unknown)/.test(text)))
  throw new Error('An assertion to any, never or unknown hides every mistake.');
const missing = Object.keys(assertions).find((file) => !existsSync(join(import.meta.dirname, file)));
if (missing) throw new Error(`Type assertions are listed for ${missing}, which does not exist.`);

/** @type {import('eslint').Rule.RuleModule} */
const listedAssertions = {
  create(context) {
    const file = relative(import.meta.dirname, context.filename);
    const unseen = new Set(Object.keys(assertions[file] ?? {}));
    return {
      ':matches(TSAsExpression, TSTypeAssertion):not([typeAnnotation.typeName.name="const"])'(
        /** @type {import('eslint').Rule.Node} */ node,
      ) {
        if (unseen.delete(context.sourceCode.getText(node).replaceAll(/\s+/g, ' '))) return;
        const message =
          'Parse the value, or guard its type. If neither is possible, list the assertion in eslint.config.js.';
        context.report({ node, message });
      },
      'Program:exit'(node) {
        for (const text of unseen)
          context.report({ node, message: `Remove "${text}" from the list of assertions in eslint.config.js.` });
      },
    };
  },
};

export default defineConfig(
  { ignores: ['dist/', 'coverage/', '.serverless/', 'docs/'] },
  js.configs.recommended,
  tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['*.js', '*.cjs', '.*.cjs'] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    plugins: { 'simple-import-sort': simpleImportSort },
  },
  { files: ['**/*.cjs'], languageOptions: { sourceType: 'commonjs', globals: { module: 'writable' } } },
  {
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      // One block: Node, packages, then ours from far to near.
      'simple-import-sort/imports': ['error', { groups: [['^node:', '^@?\\w', '^\\.\\./', '^\\./']] }],
      'simple-import-sort/exports': 'error',
    },
  },
  {
    files: ['functions/**', 'shared/**', 'state-machines/**'],
    plugins: { product: { rules: { 'listed-assertions': listedAssertions } } },
    rules: {
      'product/listed-assertions': 'error',
      'no-restricted-globals': [
        'error',
        ...['WeakMap', 'WeakSet'].map((name) => ({
          name,
          message: 'Pass state as an argument, where a test can see it.',
        })),
      ],
    },
  },
);
