import { describe, expect, it } from 'vitest';
import { datasetName, placeOf, runUuid, uriOf } from '../../../src/control/openlineage/names.ts';

describe('names of datasets', () => {
  it.each([
    ['s3://bucket/a/b.parquet', 's3://bucket', 'a/b.parquet'],
    ['s3://bucket', 's3://bucket', '/'],
    ['/data/images', 'file', '/data/images'],
  ])('%s is %s, %s, and back', (place, namespace, name) => {
    expect(datasetName(place)).toEqual({ namespace, name });
    expect(placeOf({ namespace, name })).toBe(place);
  });

  it.each([
    [{ namespace: 's3a://bucket/', name: '/a/b/' }, 's3://bucket/a/b'],
    [{ namespace: 'file', name: '/data/images/' }, '/data/images'],
    [{ namespace: 'file', name: '/' }, null],
    [{ namespace: 's3://', name: 'a' }, null],
    [{ namespace: 'postgres://host:5432', name: 'db.schema.table' }, null],
  ])('%o is at %s', (name, place) => expect(placeOf(name)).toBe(place));

  it('become URIs', () => {
    expect(uriOf('/data/my images')).toBe('file:///data/my%20images');
    expect(uriOf('s3://bucket/my images')).toBe('s3://bucket/my%20images');
  });
});

it('a run has one UUID, of version 7, that begins with the time of its launch', () => {
  const createdAt = new Date('2026-12-01T10:00:00.123Z');
  const uuid = runUuid({ id: 'run_1', createdAt });
  expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(parseInt(uuid.replace('-', '').slice(0, 12), 16)).toBe(createdAt.getTime());
  expect(runUuid({ id: 'run_1', createdAt })).toBe(uuid);
  expect(runUuid({ id: 'run_2', createdAt })).not.toBe(uuid);
});
