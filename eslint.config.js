import tseslint from 'typescript-eslint';

/** Types are checked by tsc; these rules hold what tsc cannot see. */
export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', '.pushforward/', 'out/', 'priors/'] },
  ...tseslint.configs.recommended,
  {
    files: ['src/**/*.ts', 'test/**/*.ts'],
    languageOptions: { parserOptions: { project: ['./test/tsconfig.json'], tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { arguments: false } }],
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      eqeqeq: 'error',
      'no-console': 'error',
    },
  },
  { files: ['src/cli/**/*.ts', 'src/main.ts', 'src/service.ts', 'test/bench/**/*.ts'], rules: { 'no-console': 'off' } },
  {
    // Numerics are pure: no clock, no global randomness, no timers (ARCHITECTURE.md, invariants).
    files: ['src/numerics/**/*.ts'],
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: 'randomness is an argument (numerics/math/random.ts)' },
        { object: 'Date', property: 'now', message: 'numerics have no clock' },
        { object: 'performance', property: 'now', message: 'numerics have no clock' },
      ],
      'no-restricted-globals': ['error', 'process', 'setTimeout', 'setInterval', 'fetch'],
    },
  },
);
