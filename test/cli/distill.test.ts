import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type ApiClient } from '../../src/cli/client.ts';
import { distill, type DistillRequest } from '../../src/cli/distill.ts';

const REQUEST: DistillRequest = {
  path: '/images',
  sendFirst: false,
  name: 'images',
  priorPath: '/prior',
  classes: null,
  split: null,
  recipe: {},
  out: '/out',
  estimate: false,
};

beforeEach(() => void vi.spyOn(process.stderr, 'write').mockReturnValue(true));
afterEach(() => vi.restoreAllMocks());

/** An API in which the import goes on until it is cancelled, and an interrupt once it has begun. */
function importing(reused: boolean) {
  const interrupt = new AbortController();
  const sent: string[] = [];
  const client = {
    url: 'http://service',
    async send(operation: string, variables: Record<string, unknown>) {
      sent.push(operation);
      if (operation === 'ImportDataset') return { importDataset: { version: { id: 'v' }, reused } };
      if (operation === 'CancelImport') return { cancelImport: { version: variables } };
      interrupt.abort();
      const error = { code: 'CANCELLED', message: 'cancelled on request' };
      return {
        datasetVersion: sent.includes('CancelImport')
          ? { state: 'FAILED', error, progress: { images: 1 } }
          : { state: 'IMPORTING', error: null, progress: { images: 1 } },
      };
    },
  } as unknown as ApiClient;
  return { client, interrupt: interrupt.signal, sent };
}

describe('an interrupt while a dataset is imported', () => {
  it('cancels the import', async () => {
    const { client, interrupt, sent } = importing(false);
    const done = distill(client, REQUEST, interrupt);
    await expect(done).rejects.toMatchObject({ code: 'CANCELLED', message: 'cancelled on request' });
    expect(sent).toEqual(['ImportDataset', 'DatasetVersion', 'CancelImport', 'DatasetVersion']);
  });

  it('leaves one that someone else asked for', async () => {
    const { client, interrupt, sent } = importing(true);
    const done = distill(client, REQUEST, interrupt);
    await expect(done).rejects.toMatchObject({ code: 'CANCELLED', message: /goes on in the service/ as never });
    expect(sent).toEqual(['ImportDataset', 'DatasetVersion']);
  });
});
