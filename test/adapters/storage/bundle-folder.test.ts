import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleFolder } from '../../../src/adapters/storage/bundle-folder.ts';

let root = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'bundle-'));
  await mkdir(join(root, 'bundle/vae_encoder'), { recursive: true });
  await writeFile(join(root, 'bundle/prior.json'), '{}');
  await writeFile(join(root, 'bundle/vae_encoder/model.onnx'), 'model');
  await writeFile(join(root, 'secret'), 'secret');
  await symlink(join(root, 'secret'), join(root, 'bundle/link'));
  await symlink(root, join(root, 'bundle/out'));
});
afterAll(() => rm(root, { recursive: true }));

describe('bundle folder', () => {
  const files = () => bundleFolder(join(root, 'bundle'));

  it('lists its plain files by path', async () => {
    expect(await files().list()).toEqual([
      { path: 'prior.json', bytes: 2 },
      { path: 'vae_encoder/model.onnx', bytes: 5 },
    ]);
    expect(new TextDecoder().decode(await files().read('vae_encoder/model.onnx'))).toBe('model');
  });

  it.each(['../secret', '/etc/hostname', 'vae_encoder/../../secret', 'a//b', ''])(
    'refuses to read %j',
    async (path) => {
      await expect(files().read(path)).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
    },
  );

  it.each(['link', 'out/secret', 'vae_encoder', 'nothing'])(
    'does not read %s, which is no plain file',
    async (path) => {
      await expect(files().read(path)).rejects.toMatchObject({ code: 'PRIOR_INVALID' });
    },
  );
});
