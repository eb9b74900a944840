import { PushforwardError } from '../../base/errors.ts';
import { type Stage } from '../stage.ts';

/** Its place in the chain: a recipe cannot ask for an evaluation yet, so every run skips it. */
export const evaluate: Stage = {
  name: 'evaluate',
  version: 1,
  plan: async () => ({ kind: 'skip', reason: 'the recipe asks for no evaluation' }),
  run: async () => {
    throw new PushforwardError('INTERNAL', 'expected no evaluate task, got one: this release plans none');
  },
};
