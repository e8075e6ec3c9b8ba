/**
 * What each module of shared/ may import of the product. Everything else is forbidden, types included.
 * @type {Record<string, string[]>}
 */
const modules = {
  platform: [],
  text: [],
  errors: [],
  model: ['errors', 'platform'],
  aws: ['errors', 'model', 'platform'],
  kubernetes: ['errors', 'model'],
  'integration-file': ['errors', 'model', 'text'],
  table: ['aws', 'errors', 'platform'],
  http: ['errors', 'model', 'platform'],
  step: ['aws', 'errors', 'kubernetes', 'model', 'platform'],
  targets: ['aws', 'errors', 'integration-file', 'model', 'platform', 'table'],
  billing: ['aws', 'errors', 'model', 'platform', 'step'],
  cluster: ['aws', 'errors', 'kubernetes', 'model', 'platform', 'step', 'targets', 'text'],
  kubecost: ['errors', 'integration-file', 'kubernetes', 'model', 'platform'],
  access: ['aws', 'billing', 'cluster', 'errors', 'kubernetes', 'model', 'platform', 'step', 'targets'],
  publication: [
    'cluster',
    'errors',
    'integration-file',
    'kubecost',
    'kubernetes',
    'model',
    'platform',
    'step',
    'targets',
  ],
  offboarding: [
    'access',
    'aws',
    'cluster',
    'errors',
    'integration-file',
    'kubecost',
    'kubernetes',
    'model',
    'publication',
    'step',
    'targets',
  ],
  runs: ['aws', 'cluster', 'errors', 'model', 'platform', 'table', 'targets'],
  'step-runner': ['aws', 'cluster', 'errors', 'kubernetes', 'model', 'platform', 'runs', 'step', 'table', 'targets'],
  batches: ['errors', 'model', 'platform', 'runs', 'table'],
  artifacts: [
    'access',
    'aws',
    'billing',
    'cluster',
    'errors',
    'integration-file',
    'kubecost',
    'kubernetes',
    'model',
    'platform',
    'text',
  ],
  probe: ['aws', 'billing', 'errors'],
  'api-document': ['batches', 'errors', 'http', 'model', 'runs'],
  'reference-pages': ['errors', 'model'],
};

const ours = '^(shared|functions|state-machines|test|[.]ci)/';
/** @param {string[]} names */
const anyOf = (names) => `^shared/(${names.join('|')})/`;

const moduleRules = Object.entries(modules).map(([name, imports]) => ({
  name: `${name}-imports`,
  comment:
    imports.length === 0
      ? `shared/${name} may import no other part of the product.`
      : `shared/${name} may import only ${imports.map((other) => `shared/${other}`).join(', ')}.`,
  severity: 'error',
  from: { path: `^shared/${name}/` },
  to: { path: ours, pathNot: anyOf([name, ...imports]) },
}));

module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      comment: 'No file may import itself by way of others; import types count too.',
      severity: 'error',
      from: { path: '^(shared|functions|state-machines|[.]ci)/' },
      to: { circular: true },
    },
    {
      name: 'shared-has-modules-only',
      comment: 'A file of shared/ belongs in one of the modules listed in .dependency-cruiser.cjs.',
      severity: 'error',
      from: { path: '^shared/', pathNot: anyOf(Object.keys(modules)) },
      to: {},
    },
    ...moduleRules,
    {
      name: 'steps-do-not-import-steps',
      comment: 'A step may not import another step; what two steps need belongs in shared/.',
      severity: 'error',
      from: { path: '^functions/steps/', pathNot: '^functions/steps/index[.]ts$' },
      to: { path: '^functions/' },
    },
    {
      name: 'routes-stay-thin',
      comment: 'A route may not import shared/aws, kubernetes, table, step, step-runner, cluster or access.',
      severity: 'error',
      from: { path: '^functions/api/' },
      to: { path: anyOf(['aws', 'kubernetes', 'table', 'step', 'step-runner', 'cluster', 'access']) },
    },
    {
      name: 'deployment-imports',
      comment:
        'functions/deployment may import only the registries of routes and steps, the state machines, and shared/access, aws, api-document, cluster, http, model, reference-pages and step.',
      severity: 'error',
      from: { path: '^functions/deployment/' },
      to: {
        path: ours,
        pathNot:
          '^(functions/deployment|functions/(api|steps)/index[.]ts|state-machines|shared/(access|aws|api-document|cluster|http|model|reference-pages|step))(/|$)',
      },
    },
    {
      name: 'functions-run-without-the-deployment',
      comment: 'functions/deployment describes the stack; no function, module or state machine may import it.',
      severity: 'error',
      from: { path: '^(shared|functions|state-machines)/', pathNot: '^functions/deployment/' },
      to: { path: '^functions/deployment/' },
    },
    {
      name: 'state-machines-import-the-model',
      comment: 'state-machines/ may import only shared/model.',
      severity: 'error',
      from: { path: '^state-machines/' },
      to: { path: ours, pathNot: '^(state-machines|shared/model)/' },
    },
    {
      name: 'product-does-not-import-tests',
      comment: 'The product may not import from test/.',
      severity: 'error',
      from: { path: '^(shared|functions|state-machines)/' },
      to: { path: '^test/' },
    },
    {
      name: 'sandbox-imports-no-product',
      comment: 'test/sandbox may import nothing of the product: a shared mistake would prove itself.',
      severity: 'error',
      from: { path: '^test/sandbox/' },
      to: { path: ours, pathNot: '^test/sandbox/' },
    },
    {
      name: 'sandbox-through-its-index',
      comment: 'Outside test/sandbox, import test/sandbox/index.ts and no other file of the sandbox.',
      severity: 'error',
      from: { path: ours, pathNot: '^test/sandbox/' },
      to: { path: '^test/sandbox/', pathNot: '^test/sandbox/index[.]ts$' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
  },
};
