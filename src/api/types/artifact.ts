import { Arg, Ctx, Field, Float, Int, ObjectType } from 'type-graphql';
import { byCodeUnit } from '../../base/order.ts';
import { type ArtifactFile } from '../../control/artifacts.ts';
import { type ArtifactView } from '../../control/views.ts';
import { type ApiContext } from '../context.ts';
import { ArtifactState, DoomReason } from '../enums.ts';
import { DateTime, Json, Long } from '../scalars.ts';
import { Node } from './node.ts';

type Blob_ = ArtifactView['manifest']['blobs'][string];

@ObjectType({ description: 'A file of an artifact, named by its digest.' })
export class Blob {
  declare artifact: ArtifactFile['artifact'];
  declare reference: Blob_;
  declare filename: string;

  @Field(() => String, { description: 'Its name within the artifact.' })
  name!: string;

  @Field(() => String, { description: 'SHA-256 of its bytes, lower-case hex.' })
  get sha256(): string {
    return this.reference.sha256;
  }

  @Field(() => Long, { description: 'Length in bytes.' })
  get bytes(): number {
    return this.reference.bytes;
  }

  @Field(() => String, { description: 'Media type, for example image/png.' })
  get mediaType(): string {
    return this.reference.mediaType;
  }

  @Field(() => String, {
    nullable: true,
    description:
      'A URL that anyone holding it can GET until it expires. Null with an error ARTIFACT_DELETED where the artifact is DELETED.',
  })
  downloadUrl(
    @Ctx() { control, principal }: ApiContext,
    @Arg('expiresSeconds', () => Int, { defaultValue: 3600, description: 'Seconds until it expires, at most 7 days.' })
    expiresSeconds: number,
  ): Promise<string> {
    const file = { artifact: this.artifact, blob: this.reference };
    return control.downloadUrl(principal, file, { filename: this.filename, expiresSeconds });
  }
}

@ObjectType({ description: 'Keeps an artifact and all that it was made from, whatever the policy says.' })
export class ArtifactPin {
  @Field(() => String, { description: 'Why.' })
  note!: string;

  @Field(() => String, { description: 'Who pinned it.' })
  pinnedBy!: string;

  @Field(() => DateTime, { description: 'When.' })
  pinnedAt!: Date;
}

@ObjectType({ description: 'A number that a task reported.' })
export class Metric {
  @Field(() => String, { description: 'Its name.' })
  name!: string;

  @Field(() => Float, { description: 'Its value; units are those of the name.' })
  value!: number;
}

@ObjectType({
  implements: Node,
  description:
    'What a task or a stage published, or what was imported: a manifest that points at blobs. Never changes, but for its bytes being deleted and made again.',
})
export class Artifact extends Node {
  declare manifest: ArtifactView['manifest'];

  @Field(() => String, {
    description:
      'latents, distortionCurve, codebook, images, softLabels, comparison, syntheticDataset, report, stage, datasetVersion or prior.',
  })
  kind!: string;

  @Field(() => String, { description: 'The stage that publishes such artifacts.' })
  stage!: string;

  @Field(() => String, { description: 'What a person calls it.' })
  title!: string;

  @Field(() => Long, { description: 'Bytes of its blobs together.' })
  bytes!: number;

  @Field(() => [Blob], { description: 'Its files by name.' })
  get blobs(): Pick<Blob, 'name' | 'artifact' | 'reference' | 'filename'>[] {
    const artifact = this as unknown as ArtifactView;
    return Object.entries(this.manifest.blobs)
      .sort(([a], [b]) => byCodeUnit(a, b))
      .map(([name, reference]) => ({ name, artifact, reference, filename: name.split('/').at(-1) ?? name }));
  }

  @Field(() => [Metric], { description: 'The numbers that its task reported, by name.' })
  get metrics(): { name: string; value: number }[] {
    return Object.entries(this.manifest.metrics)
      .sort(([a], [b]) => byCodeUnit(a, b))
      .map(([name, value]) => ({ name, value }));
  }

  @Field(() => Json, { description: 'The options that it was made with; part of its identity.' })
  get options(): unknown {
    return this.manifest.options;
  }

  @Field(() => Json, { description: 'Small facts that later stages plan with.' })
  get content(): unknown {
    return this.manifest.content;
  }

  @Field(() => Json, { description: 'Where its bytes came from: provider, runtime version, device, threads.' })
  get produced(): unknown {
    return this.manifest.produced;
  }

  @Field(() => [Artifact], { description: 'Artifacts that it was made from, oldest first.' })
  inputs(@Ctx() { loaders }: ApiContext): Promise<unknown[]> {
    return loaders.inputsOfArtifact.load(this.id);
  }

  @Field(() => Float, { description: 'Cost of the attempt that made it, in US dollars.' })
  costUsd!: number;

  @Field(() => DateTime, { description: 'When it was recorded.' })
  createdAt!: Date;

  @Field(() => ArtifactState, { description: 'Whether its bytes are there, and stay.' })
  state!: ArtifactView['state'];

  @Field(() => DateTime, { nullable: true, description: 'When it was doomed; null where it is KEPT.' })
  doomedAt!: Date | null;

  @Field(() => DoomReason, { nullable: true, description: 'Why it was doomed; null where it is KEPT.' })
  doomedBecause!: ArtifactView['doomedBecause'];

  @Field(() => DateTime, { nullable: true, description: 'When it was deleted; null until then.' })
  deletedAt!: Date | null;

  @Field(() => String, {
    nullable: true,
    description: 'What was said when it was invalidated; null where a retention policy deleted it, and until then.',
  })
  deletedBecause!: string | null;
}
