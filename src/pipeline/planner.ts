import { type Planner } from '../engine/ports.ts';
import { type ObjectStore } from './ports.ts';
import { parseRecipe } from './recipe.ts';
import { STAGES } from './stages/index.ts';

/** The chain as the engine sees it. */
export function createPlanner(store: ObjectStore): Planner {
  return {
    stages: STAGES.map((stage) => stage.name),
    plan(request) {
      const stage = STAGES.find((candidate) => candidate.name === request.stage)!;
      return stage.plan({ ...request, recipe: parseRecipe(request.recipe), store });
    },
  };
}
