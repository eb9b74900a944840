import { describe, expect, it } from 'vitest';
import { parseEvent } from '../../../src/control/openlineage/parse.ts';

const RUN_ID = '0195f2c4-3b2a-7c3d-9e8f-0123456789ab';
const facet = (fields: object) => ({ _producer: 'https://p', _schemaURL: 'https://s', ...fields });
const output = (more: object = {}) => ({
  ...{ namespace: 's3://lake', name: 'images/train' },
  facets: {
    version: facet({ datasetVersion: '7' }),
    schema: facet({ fields: [{ name: 'image', type: 'binary', fields: [] }, { name: 'label' }] }),
  },
  ...more,
});
const event = (more: object = {}) => ({
  ...{ eventType: 'COMPLETE', eventTime: '2026-12-01T10:00:00.5+01:00', producer: 'https://github.com/some/tool' },
  schemaURL: 'https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent',
  run: { runId: RUN_ID.toUpperCase() },
  job: { namespace: 'airflow', name: 'clean_images' },
  ...{ inputs: [], outputs: [output()] },
  ...more,
});

describe('an event', () => {
  it('of a run that is complete tells of what it made', () => {
    expect(parseEvent(event())).toEqual({
      producer: 'https://github.com/some/tool',
      madeAt: new Date('2026-12-01T09:00:00.500Z'),
      job: { namespace: 'airflow', name: 'clean_images', runId: RUN_ID },
      versions: [
        {
          ...{ namespace: 's3://lake', name: 'images/train', version: '7' },
          fields: [
            { name: 'image', type: 'binary' },
            { name: 'label', type: null },
          ],
        },
      ],
    });
  });

  it('names a version by its run where it has no name of its own', () => {
    for (const facets of [undefined, {}, { version: null }, { version: facet({ _deleted: true }) }]) {
      const [version] = parseEvent(event({ outputs: [output({ facets })] })).versions;
      expect(version).toMatchObject({ version: RUN_ID, fields: null });
    }
  });

  it('tells of nothing before the run is complete, nor where it describes a job', () => {
    for (const eventType of ['START', 'RUNNING', 'FAIL', 'ABORT', 'OTHER', undefined]) {
      expect(parseEvent(event({ eventType })).versions).toEqual([]);
    }
    const ofJob: Partial<ReturnType<typeof event>> = event();
    delete ofJob.run;
    expect(parseEvent(ofJob).versions).toEqual([]);
    expect(parseEvent(event({ outputs: undefined })).versions).toEqual([]);
  });

  it('of a dataset tells of that', () => {
    const { eventTime, producer, schemaURL } = event();
    const told = parseEvent({ eventTime, producer, schemaURL, dataset: output() });
    expect(told).toMatchObject({ job: null, versions: [{ name: 'images/train', version: '7' }] });
  });

  it.each([
    [undefined, /expected an object at the body of an OpenLineage event, got nothing: send events/],
    [[event()], /expected an object at the body/],
    [event({ eventTime: 'yesterday' }), /a time such as .* at eventTime .* got "yesterday"/],
    [event({ eventTime: '2026-13-01T10:00:00Z' }), /at eventTime/],
    [event({ producer: '' }), /a text of 1 to 2000 characters at producer/],
    [event({ run: { runId: 'run_1' } }), /a UUID at run.runId of .* got "run_1"/],
    [event({ job: undefined }), /an object at job of .* got nothing/],
    [event({ job: { namespace: 'a' } }), /at job.name/],
    [event({ eventType: 'DONE' }), /one of START, .* at eventType .* got "DONE"/],
    [event({ outputs: {} }), /a list of at most 1000 at outputs/],
    [event({ outputs: Array(1001).fill(output()) }), /a list of at most 1000 at outputs of .* got 1001/],
    [event({ outputs: [output({ name: 'a\0b' })] }), /at outputs.0.name/],
    [event({ outputs: [output({ namespace: 'x'.repeat(2001) })] }), /at outputs.0.namespace/],
    [event({ eventType: 'START', outputs: [{ name: 'a' }] }), /at outputs.0.namespace/],
    [event({ outputs: [output({ facets: { version: facet({}) } })] }), /at outputs.0.facets.version.datasetVersion/],
    [event({ outputs: [output({ facets: { schema: facet({ fields: [{}] }) } })] }), /schema.fields.0.name/],
    [{ ...event(), dataset: output({ facets: {} }) }, /a version facet at dataset.facets.version/],
  ])('%# that is wrong says what and where', (given, message) => {
    expect(() => parseEvent(given)).toThrow(message);
  });
});
