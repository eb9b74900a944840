import { Ctx, Field, Float, Int, ObjectType } from 'type-graphql';
import { type CostReport as Report } from '../../control/costs.ts';
import { type RunEstimate as Estimate, type StageForecast } from '../../control/estimate.ts';
import { type CostRow as Row } from '../../control/views.ts';
import { type ApiContext } from '../context.ts';
import { EstimateBasis } from '../enums.ts';
import { Long } from '../scalars.ts';
import { Dataset } from './dataset.ts';

@ObjectType({ description: 'What attempts cost together.' })
export class CostRow {
  declare datasetId: string | null;

  @Field(() => Dataset, { nullable: true, description: 'Of runs over this dataset; null where not told apart by it.' })
  dataset(@Ctx() { loaders }: ApiContext): Promise<unknown> | null {
    return this.datasetId === null ? null : loaders.dataset.load(this.datasetId);
  }

  @Field(() => String, { nullable: true, description: 'Of this stage; null where not told apart by it.' })
  stage!: Row['stage'];

  @Field(() => String, {
    nullable: true,
    description:
      'Ended in this month (`2026-12`) or on this day (`2026-12-31`) of UTC; null where not told apart by it.',
  })
  period!: Row['period'];

  @Field(() => Int, { description: 'Runs that had attempts among them.' })
  runs!: number;

  @Field(() => Int, { description: 'Attempts.' })
  attempts!: number;

  @Field(() => Float, { description: 'Seconds that they held their resources.' })
  allocatedSeconds!: number;

  @Field(() => Float, { description: 'Their cost in US dollars.' })
  costUsd!: number;

  @Field(() => Float, {
    description: 'The part of it that published nothing: of attempts that failed, were lost or cancelled.',
  })
  lostUsd!: number;

  @Field(() => [String], {
    description: 'Versions of the price list that they were charged by; empty where a release before 0.2 kept none.',
  })
  priceLists!: string[];
}

@ObjectType({ description: 'What attempts cost in a period.' })
export class CostReport {
  @Field(() => String, { description: 'Currency of every amount: USD.' })
  currency!: string;

  @Field(() => CostRow, { description: 'All of them.' })
  total!: Report['total'];

  @Field(() => [CostRow], { description: 'Told apart as was asked, dearest first.' })
  rows!: Report['rows'];

  @Field(() => Boolean, { description: 'Whether there are more rows than were asked for; the total counts them.' })
  hasMore!: boolean;
}

@ObjectType({ description: 'A prediction.' })
export class Interval {
  @Field(() => Float, { description: 'What is expected.' })
  expected!: number;

  @Field(() => Float, { description: 'Lower end of an 80% interval.' })
  low!: number;

  @Field(() => Float, { description: 'Upper end of an 80% interval.' })
  high!: number;
}

@ObjectType({ description: 'What a stage of a run would take.' })
export class StageEstimate {
  declare price: StageForecast['price'];

  @Field(() => String, { description: 'The stage.' })
  stage!: string;

  @Field(() => Long, { description: 'Items (images or points) that it has.' })
  items!: number;

  @Field(() => Long, { description: 'Those of them whose artifacts are there already.' })
  itemsCached!: number;

  @Field(() => Interval, { nullable: true, description: 'Seconds from its start to its end; null without history.' })
  wallSeconds!: StageForecast['wallSeconds'];

  @Field(() => Interval, { nullable: true, description: 'Seconds of allocated resources; null without history.' })
  allocatedSeconds!: StageForecast['allocatedSeconds'];

  @Field(() => Interval, { nullable: true, description: 'Cost in US dollars; null without history.' })
  costUsd!: StageForecast['costUsd'];

  @Field(() => Float, { description: 'What an attempt would be charged now, in US dollars per hour.' })
  get priceUsdPerHour(): number {
    return this.price.usdPerHour;
  }

  @Field(() => String, { description: 'Version of the price list that this is from.' })
  get priceList(): string {
    return this.price.list;
  }

  @Field(() => EstimateBasis, { description: 'What the estimate goes by.' })
  basis!: StageForecast['basis'];

  @Field(() => Int, { description: 'Runs that it is from.' })
  runs!: number;
}

@ObjectType({ description: 'What a run would take, from what earlier runs of the project took.' })
export class RunEstimate {
  @Field(() => Interval, {
    nullable: true,
    description: 'Seconds from its start to its end; null where nothing of the kind was ever run.',
  })
  wallSeconds!: Estimate['wallSeconds'];

  @Field(() => Interval, { nullable: true, description: 'Seconds of allocated resources; null as above.' })
  allocatedSeconds!: Estimate['allocatedSeconds'];

  @Field(() => Interval, { nullable: true, description: 'Cost in US dollars; null as above.' })
  costUsd!: Estimate['costUsd'];

  @Field(() => String, { description: 'Currency of every amount: USD.' })
  get currency(): string {
    return 'USD';
  }

  @Field(() => [String], { description: 'Stages with work to do that were never run here: the sums lack them.' })
  unknown!: string[];

  @Field(() => [StageEstimate], { description: 'Its stages in the order they run, skipped ones left out.' })
  stages!: Estimate['stages'];
}
