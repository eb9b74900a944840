import { expect, it } from 'vitest';
import { showCell } from '../../src/cli/cell.ts';
import { answering, printed } from './support.ts';

const out = printed();

const OF = { className: 'cat', point: 3, first: 2 };
const member = (sha: string, squaredDistance: number, path: string | null) => ({
  ...{ sha256: sha.repeat(64), squaredDistance },
  image: path && { path, file: '/data', offset: null, row: null },
});
const cell = {
  ...{ className: 'cat', point: 3, weight: 0.125, count: 1200, distortionShare: 0.0625 },
  datasetVersion: { number: 2, dataset: { name: 'pets' } },
  members: { nodes: [member('a', 0.25, 'cat/1.png'), member('b', 4, null)], pageInfo: { hasNextPage: true } },
};

const client = (outputs: object[]) => answering({ Run: { run: { state: 'RUNNING', outputs } }, Cell: { cell } });

it('tells what a point stands for, and its images', async () => {
  const service = client([
    { kind: 'report', id: 'r' },
    { kind: 'syntheticDataset', id: 's' },
  ]);
  await showCell(service, 'run', OF);
  expect(service.sent).toEqual([
    ['Run', { id: 'run', urls: false }],
    ['Cell', { artifactId: 's', ...OF }],
  ]);
  expect(out.lines.map((line) => line.replace(/ +/g, ' '))).toEqual([
    'Point 3 of cat stands for 1,200 images of pets, version 2: 12.50% of the class, and 6.25% of its distortion.',
    '',
    'image squared distance sha256',
    expect.stringMatching(/^─/),
    'cat/1.png 0.2500 aaaaaaaaaaaa',
    'not in this version 4.0000 bbbbbbbbbbbb',
    'The 2 nearest of 1,200; --first shows more.',
  ]);
});

it('wants a run that has made its images', async () => {
  await expect(showCell(client([]), 'run', OF)).rejects.toThrow(
    /expected a run that has succeeded, got run, which is RUNNING/,
  );
});
