/** A disk that is full in the middle of a run. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, it } from 'vitest';
import { createDirectoryStore } from '../../src/adapters/storage/directory.ts';
import { faultSuite } from '../support/faults/suite.ts';
import { skippedWithout } from '../support/needed.ts';
import { until } from '../support/until.ts';

const SIZE_BYTES = 16 * 1024 * 1024;
/** The disks that were mounted. */
const disks: string[] = [];

function mountDisk(at: string): boolean {
  mkdirSync(at, { recursive: true });
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE_BYTES}`, 'tmpfs', at]);
  if (status === 0) disks.push(at);
  return status === 0;
}

const trial = mkdtempSync(join(tmpdir(), 'pushforward-faults-disk-'));
const mounts = mountDisk(trial);
if (mounts) execFileSync('umount', [disks.pop()!]);
rmSync(trial, { recursive: true });

describe.skipIf(skippedWithout(mounts ? null : 'the right to mount a small disk (root)'))('a disk', () => {
  const suite = faultSuite();
  afterAll(() => {
    for (const disk of disks) spawnSync('umount', [disk]);
  });

  it('that is full makes no run fail: it goes on once there is space', async () => {
    let full = '';
    await suite.survives(
      async (world, runId) => {
        const failures = async () =>
          (
            await world.query(
              `select 1 from attempts where run_id = $1 and state = 'FAILED' and failure #>> '{error,details,errno}' = 'ENOSPC'`,
              [runId],
            )
          ).length;
        await until(failures, 'an attempt to fail for want of space', 120_000);
        await rm(full);
      },
      {
        store: async (folder) => {
          const root = join(folder, 'state/store');
          mountDisk(root);
          const objects = createDirectoryStore({ root, signingSecret: 'of a test', publicUrl: () => '' });
          return { env: {}, objects, folder: root, release: () => void spawnSync('umount', [root]) };
        },
        imported: async (world) => {
          full = join(world.store.folder, 'filler');
          await fill(full);
        },
      },
    );
  });
});

/** Writes until nothing more fits. */
async function fill(path: string): Promise<void> {
  const file = await open(path, 'w');
  try {
    for (let bytes = 1 << 20; bytes >= 1;) {
      try {
        await file.write(Buffer.alloc(bytes));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
        bytes >>= 1;
      }
    }
  } finally {
    await file.close();
  }
}
