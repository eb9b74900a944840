import { Field, Float, ID, InputType, Int } from 'type-graphql';
import {
  ClassShares,
  CompareMode,
  DecoderMode,
  DecoderStart,
  DriftClassChanges,
  DriftCorrection,
  LabelMode,
  Provider,
  QuantizerAlgorithm,
  RunState,
  SurveyMode,
} from '../enums.ts';
import { Long } from '../scalars.ts';

/** The recipe as clients write it. Defaults are those of the pipeline's recipe; a test holds the two together. */

@InputType({ description: 'How the points of a class are found.' })
export class QuantizerInput {
  @Field(() => QuantizerAlgorithm, { defaultValue: 'LLOYD', description: 'The algorithm.' })
  algorithm!: string;

  @Field(() => Int, { defaultValue: 10, description: 'Independent starts of LLOYD; the best is kept. 1 to 1000.' })
  restarts!: number;

  @Field(() => Int, { defaultValue: 300, description: 'Iterations of LLOYD at most per start. 1 to 100000.' })
  maxIterations!: number;

  @Field(() => Int, { defaultValue: 3, description: 'How often CLVQ learns from every latent. 1 to 1000.' })
  passes!: number;
}

@InputType({ description: 'What is measured of the classes before they are quantized.' })
export class SurveyInput {
  @Field(() => SurveyMode, {
    defaultValue: 'AUTO',
    description: 'Whether to measure distortion curves, their slope and the intrinsic dimension.',
  })
  mode!: string;
}

@InputType({ description: 'How points become images.' })
export class DecoderInput {
  @Field(() => DecoderMode, { defaultValue: 'AUTO', description: 'By diffusion or plainly.' })
  mode!: string;

  @Field(() => DecoderStart, { defaultValue: 'CENTROID', description: 'The centroid of a cell, or its medoid.' })
  start!: string;

  @Field(() => Float, {
    defaultValue: 0.7,
    description: 'Share of the noise schedule, 0 to 1, that a point is noised to before it is denoised.',
  })
  strength!: number;

  @Field(() => Int, {
    defaultValue: 50,
    description: 'Steps of the whole schedule; strength x steps are run. 1 to 1000.',
  })
  steps!: number;

  @Field(() => Float, {
    defaultValue: 4,
    description: 'Classifier-free guidance, 0 to 100; 1 is the conditional model alone.',
  })
  guidance!: number;
}

@InputType({ description: 'Where soft labels come from.' })
export class LabelsInput {
  @Field(() => LabelMode, { defaultValue: 'AUTO', description: 'By a teacher or not at all.' })
  mode!: string;

  @Field(() => Float, { defaultValue: 1, description: "The teacher's logits are divided by it. 0.01 to 1000." })
  temperature!: number;
}

@InputType({
  description: 'The weights w = N p m^a / sum m^a of the points, mean 1; m is the share of samples in the cell.',
})
export class WeightsInput {
  @Field(() => Float, { defaultValue: 1, description: 'The exponent a, 0 to 1: 0 is uniform, 1 the theory.' })
  exponent!: number;

  @Field(() => ClassShares, { defaultValue: 'DATA', description: 'The share p of a class.' })
  classShares!: string;

  @Field(() => Boolean, {
    defaultValue: false,
    description:
      'Masses m refitted on the decoded images in place of the shares of samples: those that bring the images, encoded again, nearest to the training latents in energy distance. Images that do not help get weight 0.',
  })
  refit!: boolean;
}

@InputType({
  description:
    'What codebooks and images are measured against. Nothing that is made depends on it, but refitted weights.',
})
export class CompareInput {
  @Field(() => CompareMode, {
    defaultValue: 'ON',
    description: 'Whether they are measured at all. It takes about twice the time of the quantizer.',
  })
  mode!: string;

  @Field(() => Int, {
    defaultValue: 10,
    description: "Shuffled orders that D4M's quantizer is run on, each giving another codebook. 2 to 1000.",
  })
  d4mShuffles!: number;
}

@InputType({ description: 'What a run may put up with.' })
export class TolerancesInput {
  @Field(() => Int, { defaultValue: 0, description: 'Corrupt images per class that may be left out.' })
  corruptImages!: number;
}

@InputType({ description: 'How fast and where; never part of what is made.' })
export class ExecutionInput {
  @Field(() => Provider, { defaultValue: 'CPU', description: 'What runs the models.' })
  provider!: string;

  @Field(() => Int, { defaultValue: 1, description: 'Threads of one worker process. 1 to 256.' })
  threads!: number;

  @Field(() => Int, { defaultValue: 128, description: 'Images per model call. 1 to 4096.' })
  batch!: number;

  @Field(() => String, {
    nullable: true,
    description: "Executor class of every stage; absent: what the service's settings say of each stage.",
  })
  executorClass?: string | null;

  @Field(() => Int, {
    nullable: true,
    description: 'Workers of a stage at once, where its executor class allows more. 1 to 10000.',
  })
  parallelism?: number | null;
}

@InputType({ description: 'Everything a run is asked to do.' })
export class RecipeInput {
  @Field(() => ID, { description: 'A dataset version that is READY.' })
  datasetVersionId!: string;

  @Field(() => ID, { description: 'A registered prior.' })
  priorId!: string;

  @Field(() => Int, {
    nullable: true,
    description:
      'Points per class, K, at most the training images of the smallest class. Exactly one of `imagesPerClass` and `totalImages`.',
  })
  imagesPerClass?: number | null;

  @Field(() => Int, {
    nullable: true,
    description:
      'Points in all, divided over classes so that the distortion of all training images is least. At least one for each class, at most all training images.',
  })
  totalImages?: number | null;

  @Field(() => [String], { nullable: true, description: 'Class names; absent: all.' })
  classes?: string[] | null;

  @Field(() => Float, {
    defaultValue: 0.1,
    description: 'Fraction of each class that the quantizer never sees, 0 to 0.9.',
  })
  holdout!: number;

  @Field(() => Long, { defaultValue: 0, description: 'Seed of all randomness: a whole number from 0 to 2^32 - 1.' })
  seed!: number;

  @Field(() => SurveyInput, { nullable: true, description: 'What is measured before.' })
  survey?: SurveyInput | null;

  @Field(() => QuantizerInput, { nullable: true, description: 'How the points of a class are found.' })
  quantizer?: QuantizerInput | null;

  @Field(() => DecoderInput, { nullable: true, description: 'How points become images.' })
  decoder?: DecoderInput | null;

  @Field(() => LabelsInput, { nullable: true, description: 'Where soft labels come from.' })
  labels?: LabelsInput | null;

  @Field(() => WeightsInput, { nullable: true, description: 'How points are weighted.' })
  weights?: WeightsInput | null;

  @Field(() => CompareInput, { nullable: true, description: 'What codebooks and images are measured against.' })
  compare?: CompareInput | null;

  @Field(() => TolerancesInput, { nullable: true, description: 'What the run may put up with.' })
  tolerances?: TolerancesInput | null;

  @Field(() => ExecutionInput, { nullable: true, description: 'How fast and where.' })
  execution?: ExecutionInput | null;
}

@InputType({
  description:
    'How large a change has to be before it is drift, however certain it is: of huge samples the smallest is.',
})
export class MinEffectInput {
  @Field(() => Float, {
    defaultValue: 0,
    description: 'Of the mean distance, as a fraction of what it was: 0.05 lets 5% pass, either way. 0 to 1000.',
  })
  distance!: number;

  @Field(() => Float, {
    defaultValue: 0,
    description: 'Of the mass that lies in other cells, beyond what chance makes of it. 0 to 1.',
  })
  mass!: number;
}

@InputType({ description: 'Everything a drift run is asked to do.' })
export class DriftRecipeInput {
  @Field(() => ID, { description: 'The dataset version that is asked about; it is READY.' })
  datasetVersionId!: string;

  @Field(() => String, {
    description:
      'What it is compared with: an alias, a run that distilled, or the synthetic dataset that it made. Its recipe held images out.',
  })
  against!: string;

  @Field(() => [String], {
    nullable: true,
    description: 'Class names to look at; absent: those that the reference was asked for, be that all.',
  })
  classes?: string[] | null;

  @Field(() => Int, {
    defaultValue: 500,
    description: 'New images of each class that are looked at, where it has so many. 20 to 4096.',
  })
  samplesPerClass!: number;

  @Field(() => Long, { defaultValue: 0, description: 'Seed of the sample: a whole number from 0 to 2^32 - 1.' })
  seed!: number;

  @Field(() => Float, {
    defaultValue: 0.05,
    description: 'How probable an alarm may be where nothing has changed. Above 0, to 0.5.',
  })
  alpha!: number;

  @Field(() => DriftCorrection, {
    defaultValue: 'HOLM',
    description: 'How p-values are corrected for all classes and both tests.',
  })
  correction!: string;

  @Field(() => MinEffectInput, { nullable: true, description: 'How large a change has to be.' })
  minEffect?: MinEffectInput | null;

  @Field(() => DriftClassChanges, { defaultValue: 'DRIFT', description: 'What classes that came or went are.' })
  classChanges!: string;

  @Field(() => TolerancesInput, { nullable: true, description: 'What the run may put up with.' })
  tolerances?: TolerancesInput | null;

  @Field(() => ExecutionInput, { nullable: true, description: 'How fast and where.' })
  execution?: ExecutionInput | null;
}

@InputType({ description: 'A dataset to read where it lies.' })
export class ImportDatasetInput {
  @Field(() => String, { description: 'Name of the dataset, 1 to 200 characters; one that exists gets a new version.' })
  name!: string;

  @Field(() => String, {
    description:
      'Absolute path of a folder or file on the machine of the service, or `s3://bucket/prefix`: an object, or the folder of all objects below it; or `upload:ID`, an upload that is READY, also with a path of it behind (`upload:ID/train`). Images are read where they lie, at import and in every run that encodes them.',
  })
  path!: string;

  @Field(() => [String], { nullable: true, description: 'Class names to take; absent: all.' })
  classes?: string[] | null;

  @Field(() => String, {
    nullable: true,
    description:
      'The split to take, by a name or one of its usual words: `val` is `validation`. Absent: the only one there is; of CIFAR and IDX the one for training.',
  })
  split?: string | null;

  @Field(() => ID, {
    nullable: true,
    description:
      'The upstream version that it comes from, for lineage. Absent: the newest that lay at `path` when the import ended, if an event told of one.',
  })
  upstreamVersionId?: string | null;

  @Field(() => String, {
    description: 'The same key gives the same version, however often it is sent. 1 to 200 characters.',
  })
  idempotencyKey!: string;
}

@InputType({ description: 'A model bundle to validate and publish.' })
export class RegisterPriorInput {
  @Field(() => String, { description: "Absolute path of the bundle's folder on the machine of the service." })
  path!: string;
}

@InputType({ description: 'What a run may use. Absent: no limit of its own.' })
export class RunLimitsInput {
  @Field(() => Int, {
    nullable: true,
    description:
      'Seconds that an attempt at a task may run, 1 to 2592000; longer ones end with TIMEOUT and are retried. What waits in a cluster takes none.',
  })
  taskSeconds?: number | null;

  @Field(() => Int, {
    nullable: true,
    description: 'Seconds that the run may take from its start, 1 to 2592000; a longer one FAILED with TIMEOUT.',
  })
  runSeconds?: number | null;

  @Field(() => Int, {
    nullable: true,
    description: 'How often a task may fail before its run does, 1 to 100. Absent: as the service is set.',
  })
  maxAttempts?: number | null;

  @Field(() => Float, {
    nullable: true,
    description:
      'US dollars that it may cost. A launch that is expected to cost more is refused, and a run that does FAILED with BUDGET_EXCEEDED.',
  })
  costUsd?: number | null;
}

@InputType({ description: 'A run to carry out again.' })
export class RetryRunInput {
  @Field(() => ID, { description: 'A run that has ended.' })
  runId!: string;

  @Field(() => String, {
    nullable: true,
    description:
      'The stage to begin anew with: what it and the stages behind it made is invalidated. Absent: what was published is reused.',
  })
  fromStage?: string | null;

  @Field(() => Int, { nullable: true, description: 'As in a launch. Absent: that of the run.' })
  priority?: number | null;

  @Field(() => RunLimitsInput, { nullable: true, description: 'As in a launch. Absent: those of the run.' })
  limits?: RunLimitsInput | null;

  @Field(() => String, {
    description: 'The same key gives the same run, however often it is sent. 1 to 200 characters.',
  })
  idempotencyKey!: string;
}

@InputType({ description: 'A run to launch.' })
export class LaunchRunInput {
  @Field(() => RecipeInput, { description: 'Everything the run is asked to do.' })
  recipe!: RecipeInput;

  @Field(() => Int, {
    defaultValue: 0,
    description: 'Tasks of runs with a greater one go first, -1000 to 1000; among equals the oldest run.',
  })
  priority!: number;

  @Field(() => RunLimitsInput, { nullable: true, description: 'What the run may use.' })
  limits?: RunLimitsInput | null;

  @Field(() => String, {
    description: 'The same key gives the same run, however often it is sent. 1 to 200 characters.',
  })
  idempotencyKey!: string;
}

@InputType({ description: 'A drift run to launch.' })
export class LaunchDriftInput {
  @Field(() => DriftRecipeInput, { description: 'Everything the run is asked to do.' })
  recipe!: DriftRecipeInput;

  @Field(() => Int, {
    defaultValue: 0,
    description: 'Tasks of runs with a greater one go first, -1000 to 1000; among equals the oldest run.',
  })
  priority!: number;

  @Field(() => RunLimitsInput, { nullable: true, description: 'What the run may use.' })
  limits?: RunLimitsInput | null;

  @Field(() => String, {
    description: 'The same key gives the same run, however often it is sent. 1 to 200 characters.',
  })
  idempotencyKey!: string;
}

@InputType({ description: 'Which runs to list; absent fields do not filter.' })
export class RunFilterInput {
  @Field(() => [RunState], { nullable: true, description: 'In one of these states.' })
  state?: (keyof typeof RunState)[] | null;

  @Field(() => ID, { nullable: true, description: 'Of any version of this dataset.' })
  datasetId?: string | null;

  @Field(() => ID, { nullable: true, description: 'Of this dataset version.' })
  datasetVersionId?: string | null;

  @Field(() => ID, { nullable: true, description: 'With this prior.' })
  priorId?: string | null;
}
