import { Ctx, Field, ID, InputType, Int, ObjectType } from 'type-graphql';
import { type UploadFileView, type UploadView } from '../../control/views.ts';
import { connectionType } from '../connection.ts';
import { type ApiContext } from '../context.ts';
import { UploadState } from '../enums.ts';
import { DateTime, Long } from '../scalars.ts';
import { Node } from './node.ts';

@ObjectType({
  implements: Node,
  description: 'Files that a client puts into the store of the project, to be imported.',
})
export class Upload extends Node {
  @Field(() => UploadState, { description: 'Where it stands.' })
  state!: UploadView['state'];

  @Field(() => String, {
    description:
      '`upload:ID`: what importDataset takes as its path, as it is or with the path of one of the files behind it.',
  })
  get path(): string {
    return `upload:${this.id}`;
  }

  @Field(() => Long, { description: 'Bytes of all its files.' })
  bytes!: number;

  @Field(() => [UploadFile], { description: 'Its files, at most 1000, in the order that they were given in.' })
  files(@Ctx() { loaders }: ApiContext): Promise<UploadFileView[]> {
    return loaders.filesOfUpload.load(this.id);
  }

  @Field(() => DateTime, { description: 'When it was created.' })
  createdAt!: Date;

  @Field(() => DateTime, {
    nullable: true,
    description:
      'From then on it may be deleted: what asking for parts puts off, and using it in an import for good. Null where it was used, and once it ended.',
  })
  expiresAt!: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'When it became READY, ABORTED or EXPIRED.' })
  endedAt!: Date | null;
}

@ObjectType({ description: 'A file of an upload.' })
export class UploadFile {
  @Field(() => String, { description: 'Relative, with `/`.' })
  path!: string;

  @Field(() => Long, { description: 'Its size in bytes.' })
  bytes!: number;

  @Field(() => Long, { description: 'Bytes of every part but the last, which has the rest.' })
  partBytes!: number;

  @Field(() => Int, { description: 'Parts, counted from 1.' })
  partCount!: number;

  @Field(() => Boolean, { description: 'Whether all of it is in the store, and nothing more can be sent.' })
  complete!: boolean;
}

@ObjectType({
  description: 'A request that puts one part into the store. Any other bytes as its body are refused.',
})
export class UploadPart {
  @Field(() => String, { description: 'The file.' })
  path!: string;

  @Field(() => Int, { description: 'The part of it, from 1.' })
  number!: number;

  @Field(() => Long, { description: 'Bytes to send: no more and no fewer.' })
  bytes!: number;

  @Field(() => String, { description: 'Where to PUT them.' })
  url!: string;

  @Field(() => [HttpHeader], { description: 'Headers to send with it, exactly so.' })
  headers!: HttpHeader[];

  @Field(() => DateTime, { description: 'When the URL ends; ask for it again then.' })
  expiresAt!: Date;
}

@ObjectType({ description: 'A header of a request.' })
export class HttpHeader {
  @Field(() => String, { description: 'Its name.' })
  name!: string;

  @Field(() => String, { description: 'Its value.' })
  value!: string;
}

@ObjectType({ description: 'A part that never came, or came otherwise than its URL was signed for.' })
export class MissingPart {
  @Field(() => String, { description: 'The file.' })
  path!: string;

  @Field(() => Int, { description: 'The part of it, from 1.' })
  number!: number;
}

@InputType({ description: 'A file that will be sent.' })
export class UploadFileInput {
  @Field(() => String, {
    description:
      'Relative path with `/`, as formats tell folders and names: `train/cat/1.png`. At most 800 bytes of UTF-8.',
  })
  path!: string;

  @Field(() => Long, { description: 'Its size in bytes, 1 or more.' })
  bytes!: number;

  @Field(() => String, {
    nullable: true,
    description:
      'SHA-256 of a file of at most 16 MiB, lower-case hex: the URL for it then comes with the answer. Larger files are sent in parts.',
  })
  sha256?: string | null;
}

@InputType({ description: 'Files to upload.' })
export class CreateUploadInput {
  @Field(() => [UploadFileInput], { description: '1 to 1000 files; pack more of them into a tar.' })
  files!: UploadFileInput[];

  @Field(() => String, {
    description: 'The same key gives the same upload, however often it is sent. 1 to 200 characters.',
  })
  idempotencyKey!: string;
}

@InputType({ description: 'A part that will be sent.' })
export class UploadPartInput {
  @Field(() => String, { description: 'The file.' })
  path!: string;

  @Field(() => Int, { description: 'The part of it, from 1.' })
  number!: number;

  @Field(() => String, { description: 'SHA-256 of its bytes, lower-case hex.' })
  sha256!: string;
}

@InputType({ description: 'Parts to get URLs for.' })
export class SignUploadPartsInput {
  @Field(() => ID, { description: 'The upload, which is OPEN.' })
  uploadId!: string;

  @Field(() => [UploadPartInput], { description: '1 to 100 parts.' })
  parts!: UploadPartInput[];
}

export const UploadConnection = connectionType('Upload', () => Upload);
