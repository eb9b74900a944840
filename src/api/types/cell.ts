import { Arg, Ctx, Field, Float, Int, ObjectType } from 'type-graphql';
import { type CellMember as Member, type CellView } from '../../control/cells.ts';
import { type StoredImage as Image } from '../../control/stored-images.ts';
import { type ArtifactView, type DatasetVersionView } from '../../control/views.ts';
import { checkFirst, connectionType, decodeNumber, toConnection, type Connection } from '../connection.ts';
import { type ApiContext } from '../context.ts';
import { Long } from '../scalars.ts';
import { Artifact } from './artifact.ts';
import { DatasetVersion } from './dataset.ts';

@ObjectType({ description: 'Where an image of a dataset version lies. Its bytes do not pass through the API.' })
export class StoredImage {
  @Field(() => String, { description: 'What a person calls it: its path in the folder or archive, or file#row.' })
  path!: string;

  @Field(() => String, {
    description:
      'The file that it lies in: an absolute path on the machine of the service, s3://bucket/key, upload:ID/path, or a key of the store.',
  })
  file!: string;

  @Field(() => String, {
    description: 'folder: the file is the image. tar, raw and pack: it lies at `offset`. parquet: it is the row `row`.',
  })
  format!: Image['format'];

  @Field(() => Long, {
    nullable: true,
    description: 'Where it begins in the file; null where it is the file, or a row.',
  })
  offset!: number | null;

  @Field(() => Long, { nullable: true, description: 'Its row in a Parquet file, from 0; null elsewhere.' })
  row!: number | null;

  @Field(() => Long, { description: 'Its length as stored.' })
  bytes!: number;

  @Field(() => String, {
    nullable: true,
    description:
      "A URL of the file, which anyone holding it can GET until it expires, with Range for the image alone. Null where the file is not in the project's own store.",
  })
  downloadUrl(
    @Ctx() { control, principal }: ApiContext,
    @Arg('expiresSeconds', () => Int, { defaultValue: 3600, description: 'Seconds until it expires, at most 7 days.' })
    expiresSeconds: number,
  ): Promise<string | null> {
    return control.imageUrl(principal, this, expiresSeconds);
  }
}

@ObjectType({ description: 'A real image in the cell of a synthetic one.' })
export class CellMember {
  declare find: Member['image'];

  @Field(() => Int, { description: 'Its place in the cell, from 0 for the nearest.' })
  rank!: number;

  @Field(() => String, { description: 'SHA-256 of its bytes as stored, lower-case hex.' })
  sha256!: string;

  @Field(() => Float, { description: 'Squared distance of its latent to the point.' })
  squaredDistance!: number;

  @Field(() => StoredImage, {
    nullable: true,
    description: 'Where it lies; null where `datasetVersion` has it not, or its list of images was deleted.',
  })
  image(): Promise<Image | null> {
    return this.find();
  }
}

const CellMemberConnection = connectionType('CellMember', () => CellMember);

@ObjectType({
  description: 'What a point of a codebook, and so a synthetic image, stands for: the training images nearest to it.',
})
export class Cell {
  declare page: CellView['members'];

  @Field(() => Artifact, { description: 'The codebook of the class.' })
  codebook!: ArtifactView;

  @Field(() => String, { description: 'The class.' })
  className!: string;

  @Field(() => Int, { description: 'Index of the point in the codebook: the column `point` of the synthetic dataset.' })
  point!: number;

  @Field(() => Float, { description: "Share of the class's training images in the cell, 0 to 1." })
  weight!: number;

  @Field(() => Int, { description: 'Training images in the cell.' })
  count!: number;

  @Field(() => Float, { description: 'Mean squared distance of their latents to the point.' })
  distortion!: number;

  @Field(() => Float, { description: "The cell's part of the distortion of the class, 0 to 1." })
  distortionShare!: number;

  @Field(() => DatasetVersion, {
    nullable: true,
    description: 'The version whose images are named; null where the run that made the artifact is not known.',
  })
  datasetVersion!: DatasetVersionView | null;

  @Field(() => CellMemberConnection, {
    description: 'Its images, the nearest to the point first: those that are most like the synthetic one.',
  })
  members(
    @Arg('first', () => Int, { defaultValue: 20, description: 'Images at most, 1 to 100.' }) first: number,
    @Arg('after', () => String, { nullable: true, description: 'endCursor of the page before.' }) after?: string | null,
  ): Connection<{ rank: number }> {
    const last = decodeNumber('cell', after);
    const page = this.page({ first: checkFirst(first), after: last === null ? 0 : last + 1 });
    const items = page.items.map(({ image, ...member }) => ({ ...member, find: image }));
    return toConnection('cell', { ...page, items }, after ?? null, ({ rank }) => String(rank));
  }
}
