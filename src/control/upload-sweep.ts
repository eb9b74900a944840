import { toErrorRecord } from '../base/errors.ts';
import { freeUpload } from './upload-end.ts';
import { type UploadNeeds } from './uploads.ts';

const SWEEP_EVERY_MS = 10 * 60_000;
const PAGE = 500;

/** Expires uploads whose time is over, and frees those that ended without being freed. */
export interface UploadSweep {
  /** Sweeps now and then again and again, until `close`. */
  start(): void;
  /** One round; what fails is logged and taken up by the next one. */
  once(): Promise<void>;
  close(): Promise<void>;
}

export function createUploadSweep(of: UploadNeeds): UploadSweep {
  const stopping = new AbortController();
  let running: Promise<void> = Promise.resolve();

  async function once(): Promise<void> {
    const now = of.clock.now();
    for await (const { projectId, uploadId } of overdueUploads(now)) {
      if (stopping.signal.aborted) return;
      const { moved } = await of.catalog.project(projectId).endUpload(uploadId, { state: 'EXPIRED', now });
      // One that an import took meanwhile, or that got more time, stays.
      const [upload] = await of.catalog.project(projectId).uploadsById([uploadId]);
      if (upload?.state !== 'ABORTED' && upload?.state !== 'EXPIRED') continue;
      try {
        await freeUpload(of, projectId, uploadId);
        of.log.info(moved ? 'upload expired' : 'upload freed', { uploadId });
      } catch (error) {
        of.log.warn('upload not freed', { uploadId, error: toErrorRecord(error).message });
      }
    }
  }

  /** A page at a time; one that could not be freed is passed. */
  async function* overdueUploads(now: Date) {
    for (let after = ''; ;) {
      const page = await of.catalog.overdueUploads(now, after, PAGE);
      yield* page;
      if (page.length < PAGE) return;
      after = page.at(-1)!.uploadId;
    }
  }

  return {
    once,
    start() {
      running = (async () => {
        while (!stopping.signal.aborted) {
          await once().catch((error: unknown) => {
            of.log.warn('uploads not swept', { error: toErrorRecord(error).message });
          });
          await of.clock.sleep(SWEEP_EVERY_MS, stopping.signal);
        }
      })();
    },
    async close() {
      stopping.abort();
      await running;
    },
  };
}
