import { execFile } from 'node:child_process';
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { environmentOf, goMissing, startS3Server } from '../support/s3-server.ts';
import { ROOT, withTemporaryFolder } from '../support/service-process.ts';

describe.skipIf(goMissing)('quickstart over S3', () => {
  it('ends with the bytes that it has over the directory store', async () => {
    const server = await startS3Server();
    try {
      const { bucket } = await server.bucket();
      const s3 = {
        ...environmentOf(server.owner),
        PUSHFORWARD_STORE: `s3://${bucket}/quickstart`,
        PUSHFORWARD_S3_ENDPOINT: server.endpoint,
      };
      await withTemporaryFolder(async (folder) => {
        const quickstart = async (name: string, env: Record<string, string>) => {
          const args = [join(ROOT, 'dist/main.js'), 'quickstart', '--out', join(folder, name)];
          const state = { PUSHFORWARD_STATE_DIR: join(folder, `${name}-state`) };
          await promisify(execFile)(process.execPath, args, { env: { ...process.env, ...env, ...state } });
          return await readFile(join(folder, name, 'train.parquet'));
        };
        const overS3 = await quickstart('s3', s3);
        expect(overS3.equals(await quickstart('directory', {}))).toBe(true);
        await access(join(folder, 'directory-state/store'));
        await expect(access(join(folder, 's3-state/store'))).rejects.toMatchObject({ code: 'ENOENT' });
      });
    } finally {
      await server.stop();
    }
  }, 600_000);
});
