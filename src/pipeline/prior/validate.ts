import { type ModelRuntime } from '../ports.ts';
import { type Bundle } from './bundle.ts';

/**
 * Runs every model of the bundle on a batch of two and holds shapes and values to the description.
 * @throws PRIOR_INVALID naming the model, what was expected, what was received and the remedy
 */
export async function validatePrior(_bundle: Bundle, _runtime: ModelRuntime): Promise<void> {
  throw new Error('being written');
}
