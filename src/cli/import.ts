import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { type ErrorRecord, fromErrorRecord, PushforwardError } from '../base/errors.ts';
import { type ApiClient, type Refusal, refuse } from './client.ts';
import { type ImportFacts, importSummary } from './import-summary.ts';
import { type Progress } from './progress.ts';
import { count, seconds } from './table.ts';

export interface ImportRequest {
  /** Any of the formats that the service reads, as a path, `s3://bucket/prefix` or `upload:ID`. */
  path: string;
  /** Name of the dataset in the project. */
  name: string;
  /** Class names to take; null: all. */
  classes: string[] | null;
  /** The split to take; null: the only one. */
  split: string | null;
}

/** Imports and waits until it has ended. An interrupt cancels it. @returns id of the version @throws the failure of the import */
export async function importDataset(
  client: ApiClient,
  { path, name, classes, split }: ImportRequest,
  progress: Progress,
  interrupt: AbortSignal,
): Promise<string> {
  const input = { path: isUrl(path) ? path : resolve(path), name, classes, split, idempotencyKey: randomUUID() };
  const { importDataset: answer } = await client.send<{
    importDataset: Refusal & { version: { id: string }; reused: boolean };
  }>('ImportDataset', { input });
  refuse(answer);
  const startedMs = Date.now();
  for (;;) {
    const { datasetVersion } = await client.send<{ datasetVersion: ImportedVersion }>('DatasetVersion', {
      id: answer.version.id,
    });
    const { state, images, progress: so, error } = datasetVersion;
    if (state === 'FAILED') throw fromErrorRecord(error!);
    if (state === 'READY') {
      const classCount = datasetVersion.classes!.length;
      const what = `${count(images!)} image${images === 1 ? '' : 's'} of ${count(classCount)} class${classCount === 1 ? '' : 'es'}`;
      const how = datasetVersion.reused
        ? 'known, nothing imported'
        : `done in ${seconds((Date.now() - startedMs) / 1000)}`;
      progress.update('import', { done: images!, total: images!, unit: 'images', ended: `${what}  ${how}` });
      progress.say(importSummary(datasetVersion));
      return datasetVersion.id;
    }
    progress.update('import', { done: so.images, total: 0, unit: 'images' });
    if (interrupt.aborted) {
      // Others wait for one that was there already.
      if (answer.reused) throw new PushforwardError('CANCELLED', 'interrupted; the import goes on in the service');
      progress.say('Cancelling the import.');
      await client.send('CancelImport', { id: answer.version.id });
    }
    await new Promise((wake) => setTimeout(wake, 200));
  }
}

/** A source that is no path of this machine (`s3://bucket/prefix`, `upload:ID`) is named as it is. */
export const isUrl = (path: string): boolean => /^(?:[a-z][a-z0-9+.-]*:\/\/|upload:)/i.test(path);

interface ImportedVersion extends ImportFacts {
  state: string;
  images: number | null;
  reused: boolean;
  progress: { images: number };
  error: ErrorRecord | null;
}
