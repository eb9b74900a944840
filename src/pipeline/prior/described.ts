import { invalid } from '../../base/errors.ts';
import { inferenceTimesteps } from '../../numerics/diffusion/timesteps.ts';
import { readManifest } from '../artifacts.ts';
import { type ObjectStore } from '../ports.ts';
import { type Recipe } from '../recipe.ts';
import { type PriorDescription } from './description.ts';

/** The description of a published prior, from its manifest alone. */
export async function describedPrior(
  store: ObjectStore,
  projectId: string,
  artifactId: string,
): Promise<PriorDescription> {
  const manifest = await readManifest(store, projectId, artifactId);
  return manifest.content['description'] as unknown as PriorDescription;
}

/** What AUTO means with this prior. @throws INVALID_INPUT if diffusion is asked of a prior without a denoiser */
export function decoderMode(recipe: Recipe, prior: PriorDescription): 'DIFFUSION' | 'VAE' {
  if (recipe.decoder.mode === 'AUTO') return prior.denoiser ? 'DIFFUSION' : 'VAE';
  if (recipe.decoder.mode === 'DIFFUSION' && !prior.denoiser) {
    throw invalid(
      `expected a prior with a denoiser for decoder.mode DIFFUSION, got ${prior.name} ${prior.version}, which has none: ` +
        'ask for VAE or AUTO, or register a prior with a transformer or unet',
      { path: ['decoder', 'mode'] },
    );
  }
  return recipe.decoder.mode;
}

/** What of a prior decides about soft labels. */
export type LabelsOf = Pick<PriorDescription, 'name' | 'version' | 'teacher'>;

/** Whether soft labels are made. @throws INVALID_INPUT if they are asked of a prior without a teacher */
export function labelMode(recipe: Recipe, prior: LabelsOf): 'TEACHER' | 'NONE' {
  if (recipe.labels.mode === 'AUTO') return prior.teacher ? 'TEACHER' : 'NONE';
  if (recipe.labels.mode === 'TEACHER' && !prior.teacher) {
    throw invalid(
      `expected a prior with a teacher for labels.mode TEACHER, got ${prior.name} ${prior.version}, which has none: ` +
        'ask for NONE or AUTO, or register a prior with a teacher',
      { path: ['labels', 'mode'] },
    );
  }
  return recipe.labels.mode;
}

/** The id that conditions the denoiser on a class; null where it takes none. @throws INVALID_INPUT for a class it was not trained on */
export function classIdOf(prior: PriorDescription, className: string): number | null {
  if (prior.denoiser?.nullClass === null) return null;
  return indexOf(prior.classes ?? [], className, `the denoiser of prior ${prior.name}`, 'set decoder.mode to VAE');
}

/** The teacher's logit of a class. @throws INVALID_INPUT for a class it was not trained on */
export function teacherIndexOf(prior: PriorDescription, className: string): number {
  return indexOf(prior.teacher!.classes, className, `the teacher of prior ${prior.name}`, 'set labels.mode to NONE');
}

/**
 * Refuses at launch what could only fail later: a decoder, a teacher, a class or so many steps as this prior does not have.
 * @throws INVALID_INPUT
 */
export function checkPriorFits(recipe: Recipe, prior: PriorDescription, classNames: readonly string[]): void {
  const decodes = decoderMode(recipe, prior);
  const labels = labelMode(recipe, prior);
  if (decodes === 'DIFFUSION') inferenceTimesteps(prior.denoiser!.scheduler, recipe.decoder.steps);
  for (const name of classNames) {
    if (decodes === 'DIFFUSION') classIdOf(prior, name);
    if (labels === 'TEACHER') teacherIndexOf(prior, name);
  }
}

function indexOf(classes: readonly string[], className: string, what: string, remedy: string): number {
  const index = classes.indexOf(className);
  if (index < 0) {
    throw invalid(
      `expected classes that ${what} was trained on (${classes.slice(0, 12).join(', ')}${classes.length > 12 ? ', ...' : ''}), ` +
        `got ${className}: rename the class, leave it out, or ${remedy}`,
      { className },
    );
  }
  return index;
}
