import { Arg, Ctx, ID, Int, Query, Resolver } from 'type-graphql';
import { type CellView } from '../../control/cells.ts';
import { type ApiContext } from '../context.ts';
import { Cell } from '../types/cell.ts';

@Resolver()
export class CellQueries {
  @Query(() => Cell, {
    description:
      'Which real images stand behind a synthetic one. Computed from the codebook and the latents when it is asked for: the first cell of a class takes the reading of its latents.',
  })
  async cell(
    @Ctx() { control, principal }: ApiContext,
    @Arg('artifactId', () => ID, {
      description: 'Id of a codebook, or of what was made from codebooks: images, soft labels, a synthetic dataset.',
    })
    artifactId: string,
    @Arg('className', () => String, {
      nullable: true,
      description: 'The class; may be left out where the artifact has one alone.',
    })
    className: string | null | undefined,
    @Arg('point', () => Int, {
      defaultValue: 0,
      description: 'Index of the point in the codebook of the class, from 0.',
    })
    point: number,
    @Arg('datasetVersionId', () => ID, {
      nullable: true,
      description: 'Version whose images are named; absent: that of the run that made the artifact.',
    })
    datasetVersionId?: string | null,
  ): Promise<object> {
    const { members, ...cell }: CellView = await control.cell(principal, {
      ...{ artifactId, point, className: className ?? null, datasetVersionId: datasetVersionId ?? null },
    });
    return { ...cell, page: members };
  }
}
