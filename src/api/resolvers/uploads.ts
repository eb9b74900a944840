import { Arg, Ctx, ID, Mutation, Resolver } from 'type-graphql';
import { type ApiContext } from '../context.ts';
import { asResult } from '../errors.ts';
import {
  AbortUploadResult,
  CompleteUploadResult,
  CreateUploadResult,
  SignUploadPartsResult,
} from '../types/results.ts';
import { CreateUploadInput, SignUploadPartsInput } from '../types/upload.ts';

const ID_OF_UPLOAD = { description: 'Id of the upload.' };

@Resolver()
export class UploadMutations {
  @Mutation(() => CreateUploadResult, {
    description:
      'Begins an upload. Its bytes go straight to the store, part by part, by URLs that are bound to size and SHA-256.',
  })
  createUpload(
    @Ctx() { control, principal }: ApiContext,
    @Arg('input', () => CreateUploadInput, { description: 'The files.' }) input: CreateUploadInput,
  ): Promise<object> {
    return asResult('CreateUploadSuccess', ['InvalidInput', 'IdempotencyConflict'], () =>
      control.createUpload(principal, input),
    );
  }

  @Mutation(() => SignUploadPartsResult, {
    description:
      'URLs to PUT parts to. They can be asked for again, also once they expired; that keeps the upload alive.',
  })
  signUploadParts(
    @Ctx() { control, principal }: ApiContext,
    @Arg('input', () => SignUploadPartsInput, { description: 'The parts.' }) input: SignUploadPartsInput,
  ): Promise<object> {
    return asResult('SignUploadPartsSuccess', ['InvalidInput', 'NotFound', 'NotReady'], async () => ({
      parts: await control.signUploadParts(principal, input),
    }));
  }

  @Mutation(() => CompleteUploadResult, {
    description: 'Makes the files of the parts, once all are there. An upload that is READY stays so.',
  })
  completeUpload(
    @Ctx() { control, principal }: ApiContext,
    @Arg('id', () => ID, ID_OF_UPLOAD) id: string,
  ): Promise<object> {
    return asResult('CompleteUploadSuccess', ['UploadIncomplete', 'NotFound', 'NotReady'], async () => ({
      upload: await control.completeUpload(principal, id),
    }));
  }

  @Mutation(() => AbortUploadResult, {
    description: 'Deletes an upload that no import has used, READY or not. One that ended stays as it is.',
  })
  abortUpload(
    @Ctx() { control, principal }: ApiContext,
    @Arg('id', () => ID, ID_OF_UPLOAD) id: string,
  ): Promise<object> {
    return asResult('AbortUploadSuccess', ['InvalidInput', 'NotFound'], async () => ({
      upload: await control.abortUpload(principal, id),
    }));
  }
}
