import js from '@eslint/js';
import { defineConfig } from 'eslint/config';
import simpleImportSort from 'eslint-plugin-simple-import-sort';
import tseslint from 'typescript-eslint';

/** Product files that may assert a type, each with its reason. At most twenty; whatever can be parsed or guarded is not listed. */
const assertions = {
  'shared/api-document/docs-page.ts':
    'JSON Schema nodes: the document comes from zod, whose types do not tell one node from another',
  'shared/api-document/openapi.ts': 'zod 4 types the parts of a schema as its core types, not as schemas',
  'shared/aws/bucket.ts': 'regions are open strings to us and an enum of the SDK’s release to S3',
  'shared/aws/bucket-notifications.ts': 'the SDK’s keys are lost by Object.fromEntries',
  'shared/aws/clients.ts': 'one map holds clients of every class; the class is the key',
  'shared/aws/eks-auth.ts': 'the HTTP handler types its body as any stream',
  'shared/aws/policy-document.ts': 'statements of other parties: compared as they are, never interpreted',
  'shared/aws/target-account.ts': 'one map holds clients of every class; the class is the key',
  'shared/billing/report-definition.ts': 'fields that AWS answers and takes, and its SDK’s types lack',
  'shared/http/request-parser.ts':
    'the input’s type follows from the route’s schemas, each of which has parsed its part',
  'shared/integration-file/merge.ts': 'walks the YAML library’s own document',
  'shared/kubecost/connection-status.ts': 'every field of the consumer’s answer is checked where it is read',
  'shared/kubernetes/client.ts': 'the caller names the type of the object that the API server answers',
  'shared/model/known-outputs.ts': 'TypeScript does not follow a schema chosen by a type parameter',
  'shared/model/run.ts': 'TypeScript does not follow a schema chosen by a type parameter',
  'shared/model/step-names.ts': 'Object.keys forgets the names',
  'shared/platform/sha256.ts': 'the signer’s SourceData is one of the types that Buffer.from takes',
  'shared/text/json-text.ts': 'the scanner has seen which kind of scalar it parses',
  'state-machines/states.ts': 'Object.assign forgets the names',
};
if (Object.keys(assertions).length > 20) throw new Error('More than twenty product files assert types.');

/** To be emptied: files whose rebuilding is under way. */
const assertionsToRemove = [
  'functions/api/docs.ts',
  'functions/steps/*.ts',
  'shared/step-runner/handler.ts',
  'state-machines/provision.ts',
];
const assertionOf = (type) => `TSAsExpression > ${type}.typeAnnotation`;

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
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      // One block: Node, packages, then ours from far to near.
      'simple-import-sort/imports': ['error', { groups: [['^node:', '^@?\\w', '^\\.\\./', '^\\./']] }],
      'simple-import-sort/exports': 'error',
    },
  },
  {
    files: ['functions/**', 'shared/**', 'state-machines/**'],
    ignores: assertionsToRemove,
    rules: {
      'no-restricted-syntax': [
        'error',
        ...['TSAnyKeyword', 'TSNeverKeyword', 'TSUnknownKeyword'].map((type) => ({
          selector: assertionOf(type),
          message: 'Parse the value, or guard its type: this assertion hides every mistake.',
        })),
      ],
    },
  },
  {
    files: ['functions/**', 'shared/**', 'state-machines/**'],
    ignores: [...Object.keys(assertions), ...assertionsToRemove],
    rules: { '@typescript-eslint/consistent-type-assertions': ['error', { assertionStyle: 'never' }] },
  },
  {
    files: ['functions/**', 'shared/**', 'state-machines/**'],
    rules: {
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
