import { Ctx, Field, Float, Int, ObjectType } from 'type-graphql';
import { type PriorView } from '../../control/views.ts';
import { connectionType } from '../connection.ts';
import { type ApiContext } from '../context.ts';
import { DateTime } from '../scalars.ts';
import { Artifact } from './artifact.ts';
import { Node } from './node.ts';

@ObjectType({ description: 'Shape of an image or a latent.' })
export class Extent {
  @Field(() => Int, { description: 'Channels.' })
  channels!: number;

  @Field(() => Int, { description: 'Rows, in pixels or latent cells.' })
  height!: number;

  @Field(() => Int, { description: 'Columns, in pixels or latent cells.' })
  width!: number;
}

@ObjectType({ description: 'The model that turns noise into latents.' })
export class Denoiser {
  @Field(() => String, { description: 'Folder of the bundle: `transformer` or `unet`.' })
  folder!: string;

  @Field(() => Boolean, { description: 'Whether it is told the class.' })
  get conditional(): boolean {
    return this.nullClass !== null;
  }
  declare nullClass: number | null;

  @Field(() => String, { description: 'What it predicts: epsilon, v_prediction or sample.' })
  get predictionType(): string {
    return this.scheduler.prediction_type;
  }

  @Field(() => Int, { description: 'Steps of the schedule it was trained with.' })
  get trainTimesteps(): number {
    return this.scheduler.num_train_timesteps;
  }
  declare scheduler: { prediction_type: string; num_train_timesteps: number };
}

@ObjectType({ description: 'The classifier that gives soft labels.' })
export class Teacher {
  @Field(() => [String], { description: 'Its class names in the order of its logits.' })
  classes!: string[];
}

@ObjectType({
  implements: Node,
  description: 'A model bundle: encoder, decoder, and where it has them denoiser and teacher.',
})
export class Prior extends Node {
  declare artifactId: string;
  declare description: PriorView['description'];

  @Field(() => String, { description: 'Name that the bundle gives itself.' })
  name!: string;

  @Field(() => String, { description: 'Version that the bundle gives itself.' })
  version!: string;

  @Field(() => String, { description: 'SHA-256 over its files, lower-case hex.' })
  digest!: string;

  @Field(() => String, { description: 'SPDX licence expression of its weights.' })
  get license(): string {
    return this.description.license;
  }

  @Field(() => Extent, { description: 'Images that it encodes and decodes, in pixels.' })
  get image(): Extent {
    return this.description.image;
  }

  @Field(() => Extent, { description: 'Latents that the quantizer sees, in cells.' })
  get latent(): Extent {
    return this.description.latent;
  }

  @Field(() => Float, { description: 'Latents are the posterior mean, shifted, times this.' })
  get scalingFactor(): number {
    return this.description.scalingFactor;
  }

  @Field(() => [String], {
    nullable: true,
    description: 'Classes that its denoiser knows, by class id; null where unnamed.',
  })
  get classes(): string[] | null {
    return this.description.classes;
  }

  @Field(() => Denoiser, { nullable: true, description: 'Null where it can only decode plainly.' })
  get denoiser(): unknown {
    return this.description.denoiser;
  }

  @Field(() => Teacher, { nullable: true, description: 'Null where it gives no soft labels.' })
  get teacher(): unknown {
    return this.description.teacher;
  }

  @Field(() => Artifact, { description: 'Its manifest and files.' })
  artifact(@Ctx() { loaders }: ApiContext): Promise<unknown> {
    return loaders.artifact.load(this.artifactId);
  }

  @Field(() => DateTime, { description: 'When it was registered.' })
  createdAt!: Date;
}

export const PriorConnection = connectionType('Prior', () => Prior);
