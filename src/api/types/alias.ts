import { Arg, Ctx, Field, Int, ObjectType } from 'type-graphql';
import { gateText, letsThrough } from '../../control/gates.ts';
import { type AliasVersionView, type AliasView, type GateResult as GateResultView } from '../../control/views.ts';
import { checkFirst, type Connection, connectionType, decodeNumber, toConnection } from '../connection.ts';
import { type ApiContext } from '../context.ts';
import { DateTime } from '../scalars.ts';
import { Artifact } from './artifact.ts';
import { Gate, GateResult } from './gate.ts';
import { Node } from './node.ts';

@ObjectType({ implements: Node, description: 'A promotion or its reversal: what an alias stands for from then on.' })
export class AliasVersion extends Node {
  declare artifactId: string;

  @Field(() => String, { description: 'The alias.' })
  alias!: string;

  @Field(() => Int, { description: 'Counts the versions of the alias from 1; the highest holds.' })
  number!: number;

  @Field(() => Artifact, { nullable: true, description: 'The synthetic dataset.' })
  artifact(@Ctx() { loaders }: ApiContext): Promise<unknown> {
    return loaders.artifact.load(this.artifactId);
  }

  @Field(() => [GateResult], { description: 'What the gates said of it.' })
  gates!: AliasVersionView['gates'];

  @Field(() => String, {
    nullable: true,
    description: 'Why it was promoted past gates that did not let it through; null where all did.',
  })
  override!: string | null;

  @Field(() => Int, {
    nullable: true,
    description: 'The version whose synthetic dataset it went back to; null for a promotion.',
  })
  revertsTo!: number | null;

  @Field(() => String, { description: 'Who did it.' })
  promotedBy!: string;

  @Field(() => DateTime, { description: 'When.' })
  promotedAt!: Date;
}

const AliasVersionConnection = connectionType('AliasVersion', () => AliasVersion);

@ObjectType({ description: 'A name such as `production` that stands for a synthetic dataset.' })
export class Alias {
  @Field(() => String, { description: 'Unique in the project.' })
  name!: string;

  @Field(() => [Gate], { description: 'What a promotion has to pass.' })
  gates!: AliasView['gates'];

  @Field(() => DateTime, { description: 'When it was first named.' })
  createdAt!: Date;

  @Field(() => AliasVersion, { nullable: true, description: 'What it stands for now; null: nothing yet.' })
  current!: AliasView['current'];

  @Field(() => AliasVersionConnection, { description: 'All that it ever stood for, newest first.' })
  async versions(
    @Ctx() { loaders }: ApiContext,
    @Arg('first', () => Int, { defaultValue: 20, description: 'Versions at most, 1 to 100.' }) first: number,
    @Arg('after', () => String, { nullable: true, description: 'endCursor of the page before.' }) after?: string | null,
  ): Promise<Connection<AliasVersionView>> {
    const before = decodeNumber('aliasVersion', after);
    const found = await loaders.versionsOfAlias.load({ alias: this.name, before, first: checkFirst(first) });
    const page = { items: found.slice(0, first), hasMore: found.length > first };
    return toConnection('aliasVersion', page, after ?? null, (version) => String(version.number));
  }
}

export const AliasConnection = connectionType('Alias', () => Alias);

@ObjectType({ description: 'What the gates of an alias say of a synthetic dataset.' })
export class GateReport {
  declare artifactId: string;

  @Field(() => Artifact, { nullable: true, description: 'The synthetic dataset.' })
  artifact(@Ctx() { loaders }: ApiContext): Promise<unknown> {
    return loaders.artifact.load(this.artifactId);
  }

  @Field(() => Boolean, { description: 'Whether all let it through.' })
  passed!: boolean;

  @Field(() => [GateResult], { description: 'In the order of the gates.' })
  results!: GateResultView[];

  @Field(() => [String], { description: 'The same in words.' })
  get summary(): string[] {
    return this.results.map((one) => `${letsThrough(one) ? 'passed' : 'not passed'}: ${gateText(one)}`);
  }
}
