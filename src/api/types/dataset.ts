import { Arg, Ctx, Field, Int, ObjectType } from 'type-graphql';
import { type DatasetFacts, datasetFacts } from '../../control/dataset-facts.ts';
import {
  type ClassCount,
  type DatasetVersionView,
  type ImportProgress,
  type ImportSource,
} from '../../control/views.ts';
import { checkFirst, type Connection, connectionType, decodeNumber, toConnection } from '../connection.ts';
import { type ApiContext } from '../context.ts';
import { DatasetVersionState, ErrorCode } from '../enums.ts';
import { DateTime, Long } from '../scalars.ts';
import { Artifact } from './artifact.ts';
import { ClassBalance, ClassImages, classImages, Duplicates, IgnoredFiles } from './dataset-facts.ts';
import { Node } from './node.ts';

@ObjectType({ implements: Node, description: 'A named collection of labelled images.' })
export class Dataset extends Node {
  @Field(() => String, { description: 'Unique in the project.' })
  name!: string;

  @Field(() => DateTime, { description: 'When it was first imported.' })
  createdAt!: Date;

  @Field(() => DatasetVersionConnection, {
    description: 'Its versions and imports, under way or failed, newest first.',
  })
  async versions(
    @Ctx() { loaders }: ApiContext,
    @Arg('first', () => Int, { defaultValue: 20, description: 'Versions at most, 1 to 100.' }) first: number,
    @Arg('after', () => String, { nullable: true, description: 'endCursor of the page before.' }) after?: string | null,
  ): Promise<Connection<DatasetVersionView>> {
    const found = await loaders.versionsOfDataset.load({
      datasetId: this.id,
      before: decodeNumber('version', after),
      first: checkFirst(first),
    });
    const page = { items: found.slice(0, first), hasMore: found.length > first };
    return toConnection('version', page, after ?? null, (version) => String(version.number));
  }

  @Field(() => DatasetVersion, { nullable: true, description: 'Its newest version that is READY.' })
  latestVersion(@Ctx() { loaders }: ApiContext): Promise<DatasetVersionView | null> {
    return loaders.newestVersion.load(this.id);
  }
}

@ObjectType({
  implements: Node,
  description:
    'A list of the images of a dataset, named by its digest. Which images never changes once READY; where they are read from may.',
})
export class DatasetVersion extends Node {
  declare datasetId: string;
  declare artifactId: string | null;
  declare classes: ClassCount[] | null;

  @Field(() => Dataset, { description: 'The dataset it is a version of.' })
  dataset(@Ctx() { loaders }: ApiContext): Promise<unknown> {
    return loaders.dataset.load(this.datasetId);
  }

  @Field(() => Int, { description: 'Counts the versions of a dataset from 1; failed imports keep theirs.' })
  number!: number;

  @Field(() => DatasetVersionState, { description: 'Where its import stands.' })
  state!: DatasetVersionView['state'];

  @Field(() => Boolean, {
    description:
      'True where the id that was asked for is an import that found the bytes of this earlier version, and made none of its own.',
  })
  reused!: boolean;

  @Field(() => DatasetSource, {
    description:
      'What the newest import of its images was asked to read: where they are read from. Follows an import that finds the same images elsewhere.',
  })
  source!: ImportSource;

  @Field(() => DatasetImportProgress, { description: 'What its import has read so far.' })
  progress!: ImportProgress;

  @Field(() => String, {
    nullable: true,
    description: 'SHA-256 over the sorted pairs of label name and image digest, lower-case hex; null until READY.',
  })
  digest!: string | null;

  @Field(() => Int, { nullable: true, description: 'Number of images; null until READY.' })
  images!: number | null;

  @Field(() => Int, {
    nullable: true,
    description:
      'Images that the version before it lacks, all of the first one; null until READY, and of versions that earlier releases imported.',
  })
  newImages!: number | null;

  @Field(() => [ClassImages], {
    name: 'classes',
    nullable: true,
    description: 'Its classes in label order; null until READY.',
  })
  classImages(): ClassImages[] | null {
    return this.classes && classImages(this.classes, this.classes);
  }

  @Field(() => ClassBalance, {
    nullable: true,
    description: 'How evenly its images are spread over its classes; null until READY.',
  })
  async balance(@Ctx() { loaders }: ApiContext): Promise<ClassBalance | null> {
    const facts = await this.facts(loaders);
    if (!facts) return null;
    const { smallest, largest, imbalanceRatio, effectiveClasses } = facts.balance;
    const [least, most] = classImages([smallest, largest], this.classes!) as [ClassImages, ClassImages];
    return { smallest: least, largest: most, imbalanceRatio, effectiveClasses };
  }

  @Field(() => Duplicates, {
    nullable: true,
    description: 'Images whose bytes occur more than once; null until READY.',
  })
  async duplicates(@Ctx() { loaders }: ApiContext): Promise<Duplicates | null> {
    return (await this.facts(loaders))?.duplicates ?? null;
  }

  @Field(() => Long, { nullable: true, description: 'Bytes of its images as stored; null until READY.' })
  async bytes(@Ctx() { loaders }: ApiContext): Promise<number | null> {
    return (await this.facts(loaders))?.bytes ?? null;
  }

  @Field(() => String, {
    nullable: true,
    description:
      'What `source` was found to be: folder, tar, tar.gz, parquet, webdataset, cifar or idx; null until READY.',
  })
  async format(@Ctx() { loaders }: ApiContext): Promise<string | null> {
    return (await this.facts(loaders))?.format ?? null;
  }

  @Field(() => String, {
    nullable: true,
    description: 'The split of `source` that its images are of; null where no name told one, and until READY.',
  })
  async split(@Ctx() { loaders }: ApiContext): Promise<string | null> {
    return (await this.facts(loaders))?.split ?? null;
  }

  @Field(() => [String], {
    nullable: true,
    description: 'The splits that `source` was found to have, in order of their names; null until READY.',
  })
  async splits(@Ctx() { loaders }: ApiContext): Promise<string[] | null> {
    return (await this.facts(loaders))?.splits ?? null;
  }

  @Field(() => IgnoredFiles, {
    nullable: true,
    description:
      'Files of `source` that the import passed over although they are no companions (text, JSON, hidden files); null until READY.',
  })
  async ignored(@Ctx() { loaders }: ApiContext): Promise<IgnoredFiles | null> {
    return (await this.facts(loaders))?.ignored ?? null;
  }

  @Field(() => Int, { nullable: true, description: 'Number of encode tasks that its images make; null until READY.' })
  async chunks(@Ctx() { loaders }: ApiContext): Promise<number | null> {
    return (await this.facts(loaders))?.chunks ?? null;
  }

  @Field(() => [String], {
    nullable: true,
    description: 'A line for people on its images and one on where they were read from; null until READY.',
  })
  async summary(@Ctx() { loaders }: ApiContext): Promise<string[] | null> {
    return (await this.facts(loaders))?.summary ?? null;
  }

  @Field(() => Problem, { nullable: true, description: 'Why its import failed.' })
  error!: DatasetVersionView['error'];

  @Field(() => Artifact, {
    nullable: true,
    description: 'Its manifest; null until READY. Follows `source`: it says where the images lie.',
  })
  artifact(@Ctx() { loaders }: ApiContext): Promise<unknown> | null {
    return this.artifactId === null ? null : loaders.artifact.load(this.artifactId);
  }

  @Field(() => DateTime, { description: 'When its import was asked for.' })
  createdAt!: Date;

  @Field(() => DateTime, { nullable: true, description: 'When its import ended.' })
  endedAt!: Date | null;

  private async facts(loaders: ApiContext['loaders']): Promise<DatasetFacts | null> {
    const artifact = this.artifactId === null ? null : await loaders.artifact.load(this.artifactId);
    return artifact && datasetFacts(artifact);
  }
}

@ObjectType({ description: 'What an import was asked to read.' })
export class DatasetSource {
  @Field(() => String, {
    description:
      'Absolute path on the machine of the service, links followed; `s3://bucket/key` or `upload:ID/path` without a slash at its end.',
  })
  path!: string;

  @Field(() => [String], { nullable: true, description: 'Class names to take; null: all.' })
  classes!: string[] | null;

  @Field(() => String, { nullable: true, description: 'The split that was asked for; null: none in particular.' })
  split!: string | null;
}

@ObjectType({ description: 'What an import has read so far.' })
export class DatasetImportProgress {
  @Field(() => Int, { description: 'Images.' })
  images!: number;

  @Field(() => Long, { description: 'Bytes of those images as stored.' })
  bytes!: number;
}

@ObjectType({ description: 'An error of something that was carried out in the background.' })
export class Problem {
  @Field(() => ErrorCode, { description: 'One of a closed set.' })
  code!: string;

  @Field(() => String, { description: 'What was expected, what was received and what to do.' })
  message!: string;
}

export const DatasetConnection = connectionType('Dataset', () => Dataset);
export const DatasetVersionConnection = connectionType('DatasetVersion', () => DatasetVersion);
