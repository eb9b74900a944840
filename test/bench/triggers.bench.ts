import { type Bench } from './bench.ts';
import { driftCases } from './triggers/drift.ts';

export const bench: Bench = {
  about: 'triggers: drift, how often it is called and how often it is found',
  async *cases(wanted) {
    for (const cases of [driftCases]) yield* cases(wanted);
  },
};
