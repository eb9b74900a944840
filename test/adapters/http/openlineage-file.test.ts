import { appendFile, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createOpenLineageFile } from '../../../src/adapters/http/openlineage-file.ts';

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'pushforward-lineage-'))));
afterEach(() => rm(folder, { recursive: true, force: true }));

const never = new AbortController().signal;
const linesOf = async (path: string) => (await readFile(path, 'utf8')).split('\n');

describe('the file of events', () => {
  it('has one a line, in the order they were sent, whatever they hold', async () => {
    const path = join(folder, 'not yet', 'events.ndjson');
    const sink = createOpenLineageFile(path);
    const events = Array.from({ length: 20 }, (_, i) => ({ i, text: 'two\nlines' }));
    expect(await Promise.all(events.map((event) => sink.send(event, never)))).toEqual(
      events.map(() => ({ kind: 'sent' })),
    );
    await createOpenLineageFile(path).send({ i: 20 }, never);
    const lines = await linesOf(path);
    expect(lines.pop()).toBe('');
    expect(lines.map((line) => (JSON.parse(line) as { i: number }).i)).toEqual(Array.from({ length: 21 }, (_, i) => i));
  });

  it('goes on in a line of its own after one that was torn', async () => {
    const path = join(folder, 'events.ndjson');
    const sink = createOpenLineageFile(path);
    await sink.send({ i: 0 }, never);
    await appendFile(path, '{"i":1,"te');
    await sink.send({ i: 1 }, never);
    expect(await linesOf(path)).toEqual(['{"i":0}', '{"i":1,"te', '{"i":1}', '']);
  });

  it('is begun anew where it was moved away, and waited for where it cannot be written', async () => {
    const path = join(folder, 'events.ndjson');
    const sink = createOpenLineageFile(path);
    await sink.send({ i: 0 }, never);
    await rename(path, `${path}.1`);
    await mkdir(path);
    expect(await sink.send({ i: 1 }, never)).toMatchObject({
      kind: 'unavailable',
      reason: expect.stringMatching(/^expected to append to the file of OpenLineage events, got EISDIR/) as string,
    });
    await rm(path, { recursive: true });
    expect(await sink.send({ i: 1 }, never)).toEqual({ kind: 'sent' });
    expect(await linesOf(path)).toEqual(['{"i":1}', '']);
  });
});
