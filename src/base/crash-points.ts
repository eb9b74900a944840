/**
 * Places where a process can be made to die or to stop, for tests of what survives it. They cost a comparison unless armed.
 *
 * Armed is a point whose name is that of a file in the folder that `armCrashPoints` was given. Whichever process comes to
 * it first takes the file away and kills itself, as `kill -9` or a power cut would: nothing after the point is carried out. Where the
 * file says `SIGSTOP`, it stops instead, until another lets it go on.
 */
import { readFileSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';

/** Each with what has happened when it is reached, and what has not. */
export const CRASH_POINTS = {
  'launch.recorded': 'a run is recorded, and whoever launched it has no answer',
  'run.begun': 'a run is RUNNING, and nothing is planned',
  'stage.planned': 'the tasks of a stage are known, and not recorded',
  'stage.recorded': 'the tasks of a stage are recorded, and none is begun',
  'attempt.recorded': 'an attempt is recorded, and no executor has it',
  'attempt.started': 'an executor has the attempt, and how to find it again is not recorded',
  'attempt.referenced': 'how to find the attempt is recorded, and it is under way',
  'lease.renewed': 'leases are renewed',
  'lost.released': 'an attempt of a service that died is seen gone, and not recorded as lost',
  'outcome.seen': 'an attempt has ended, and nothing of that is recorded',
  'settle.uncommitted': 'the end of an attempt is written, and not committed',
  'settle.committed': 'the end of an attempt is committed, and nobody is told',
  'stage.published': 'the manifest of a stage is published, and the stage not recorded as ended',
  'run.ended': 'a run is recorded as SUCCEEDED, and nobody is told',
  'cancel.recorded': 'a cancellation is recorded, and no attempt was asked to stop',
  'order.taken': 'a worker has an order, and nothing of it is done',
  'object.unnamed': 'the bytes of an object are in a directory store, and have no name',
  'blob.put': 'a blob of an attempt is stored, and no manifest names it',
  'manifest.unpublished': 'all blobs of an attempt are stored, and no manifest names them',
  'manifest.published': 'the manifest of an attempt is published, and the service does not know',
  'order.answered': 'a worker has told its outcome, and is idle',
} as const;

export type CrashPoint = keyof typeof CRASH_POINTS;

let armed: string | null = null;

/** @param folder null: no point is armed */
export function armCrashPoints(folder: string | null): void {
  armed = folder;
}

export function crashPoint(name: CrashPoint): void {
  if (armed === null) return;
  const path = join(armed, name);
  let signal: string;
  try {
    signal = readFileSync(path, 'utf8');
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  process.kill(process.pid, signal === 'SIGSTOP' ? 'SIGSTOP' : 'SIGKILL');
}
