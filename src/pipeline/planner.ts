import { type Planner } from '../engine/ports.ts';
import { parseAnyRecipe } from './drift/recipe.ts';
import { type ObjectStore } from './ports.ts';
import { stagesOf } from './stages/index.ts';

/** The chains as the engine sees them. */
export function createPlanner(store: ObjectStore): Planner {
  return {
    stages: (recipe) => stagesOf(recipe).map((stage) => stage.name),
    plan(request) {
      const recipe = parseAnyRecipe(request.recipe);
      const stage = stagesOf(recipe).find((candidate) => candidate.name === request.stage)!;
      return stage.plan({ ...request, recipe, store });
    },
  };
}
