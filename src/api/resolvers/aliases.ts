import { Arg, Ctx, FieldResolver, ID, Int, Mutation, Query, Resolver, Root } from 'type-graphql';
import { gateResults } from '../../control/aliases.ts';
import { letsThrough } from '../../control/gates.ts';
import { type AliasVersionView, type AliasView, type ArtifactView, type GateResult } from '../../control/views.ts';
import { checkFirst, type Connection, decodeCursor, toConnection } from '../connection.ts';
import { type ApiContext } from '../context.ts';
import { asResult } from '../errors.ts';
import { Alias, AliasConnection, AliasVersion, GateReport } from '../types/alias.ts';
import { Artifact } from '../types/artifact.ts';
import { GateInput } from '../types/gate.ts';
import { PromoteArtifactResult, RevertAliasResult, SetAliasGatesResult } from '../types/results.ts';

const NAME = { description: 'The alias, such as production.' };
const SYNTHETIC_DATASET = { description: 'Id of a synthetic dataset.' };

/** Kept apart from the type, so that types do not import in a circle. */
@Resolver(() => Artifact)
export class ArtifactAliases {
  @FieldResolver(() => [AliasVersion], { description: 'The aliases that stand for it now, by name.' })
  aliases(@Ctx() { loaders }: ApiContext, @Root() { id }: ArtifactView): Promise<AliasVersionView[]> {
    return loaders.aliasesOfArtifact.load(id);
  }
}

@Resolver()
export class AliasResolver {
  @Query(() => AliasConnection, { description: 'The aliases of the project, by name.' })
  async aliases(
    @Ctx() { control, principal }: ApiContext,
    @Arg('first', () => Int, { defaultValue: 20, description: 'Aliases at most, 1 to 100.' }) first: number,
    @Arg('after', () => String, { nullable: true, description: 'endCursor of the page before.' }) after?: string | null,
  ): Promise<Connection<AliasView>> {
    const asked = { first: checkFirst(first), after: decodeCursor('aliases', after) };
    const page = await control.read(principal).aliases(asked);
    return toConnection('aliases', page, after ?? null, (alias) => alias.name);
  }

  @Query(() => Alias, { nullable: true, description: 'An alias, or null.' })
  alias(
    @Ctx() { control, principal }: ApiContext,
    @Arg('name', () => String, NAME) name: string,
  ): Promise<AliasView | null> {
    return control.read(principal).aliasByName(name);
  }

  @Query(() => GateReport, {
    description: 'What the gates of an alias say of a synthetic dataset. Nothing is promoted.',
  })
  async gateReport(
    @Ctx() { control, principal }: ApiContext,
    @Arg('alias', () => String, NAME) alias: string,
    @Arg('artifactId', () => ID, SYNTHETIC_DATASET) artifactId: string,
  ): Promise<{ artifactId: string; passed: boolean; results: GateResult[] }> {
    const results = await gateResults(control.read(principal), { alias, artifactId });
    return { artifactId, passed: results.every(letsThrough), results };
  }

  @Mutation(() => PromoteArtifactResult, {
    description:
      'Makes an alias stand for a synthetic dataset, as its next version, where the gates of the alias let it through or `override` says why it may pass. The dataset and all that it was made from stay, whatever the retention policy says, until two others were promoted.',
  })
  promoteArtifact(
    @Ctx() { control, principal }: ApiContext,
    @Arg('alias', () => String, NAME) alias: string,
    @Arg('artifactId', () => ID, SYNTHETIC_DATASET) artifactId: string,
    @Arg('override', () => String, {
      nullable: true,
      description: 'Why it may pass gates that do not let it through; kept where one does not.',
    })
    override?: string | null,
  ): Promise<object> {
    return asResult('PromoteArtifactSuccess', ['GatesFailed', 'InvalidInput', 'NotFound', 'NotReady'], () =>
      control.promoteArtifact(principal, { alias, artifactId, override: override ?? null }),
    );
  }

  @Mutation(() => RevertAliasResult, {
    description: 'Makes an alias stand for what it stood for before, as its next version. Gates are not asked.',
  })
  revertAlias(
    @Ctx() { control, principal }: ApiContext,
    @Arg('alias', () => String, NAME) alias: string,
    @Arg('toNumber', () => Int, {
      nullable: true,
      description: 'Number of the version to go back to; absent: the one before.',
    })
    toNumber?: number | null,
  ): Promise<object> {
    return asResult('RevertAliasSuccess', ['InvalidInput', 'NotFound', 'NotReady'], async () => ({
      version: await control.revertAlias(principal, { alias, toNumber: toNumber ?? null }),
    }));
  }

  @Mutation(() => SetAliasGatesResult, {
    description: 'What promotions to an alias have to pass from now on, instead of its gates before.',
  })
  setAliasGates(
    @Ctx() { control, principal }: ApiContext,
    @Arg('alias', () => String, NAME) alias: string,
    @Arg('gates', () => [GateInput], { description: 'The gates, 50 at most; none: anything may be promoted.' })
    gates: GateInput[],
  ): Promise<object> {
    return asResult('SetAliasGatesSuccess', ['InvalidInput'], async () => ({
      alias: await control.setAliasGates(principal, {
        alias,
        gates: gates.map(({ atMost = null, atLeast = null, ...gate }) => ({ ...gate, atMost, atLeast })),
      }),
    }));
  }
}
