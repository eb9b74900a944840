import { expect, it } from 'vitest';
import { follow } from '../support/api-steps.ts';
import { digests, launchGlyphs } from '../support/glyph-run.ts';
import { startServiceProcess, withTemporaryFolder } from '../support/service-process.ts';

it('a service killed twice in the middle completes the run, repeats nothing and makes the same bytes', async () => {
  const undisturbed = await withTemporaryFolder(async (stateDir) => {
    const service = await startServiceProcess(stateDir);
    const runId = await launchGlyphs(service);
    await follow(service.client, runId);
    const found = await digests(service, runId);
    await service.end();
    return found;
  });

  await withTemporaryFolder(async (stateDir) => {
    let service = await startServiceProcess(stateDir);
    const runId = await launchGlyphs(service);
    const published = new Set<string>();
    // Killed once in the first stage, and once more in a later one.
    for (const stage of ['encode', 'decode']) {
      await follow(service.client, runId, (event) => {
        if (event.type !== 'task.succeeded') return;
        published.add(event.payload['artifactId'] as string);
        if (event.payload['stage'] === stage) process.kill(service.pid, 'SIGKILL');
      }).catch(() => {});
      await service.end('SIGKILL');
      service = await startServiceProcess(stateDir);
    }
    const events = await follow(service.client, runId);
    expect(events.at(-1)!.type).toBe('run.succeeded');
    expect(events.map((event) => event.sequence)).toEqual(events.map((_, i) => i + 1));

    const succeeded = events.filter((event) => event.type === 'task.succeeded');
    const artifacts = succeeded.map((event) => event.payload['artifactId'] as string);
    expect(new Set(artifacts).size).toBe(artifacts.length);
    expect(published.size).toBeGreaterThan(0);
    // What had been published before a kill was not tried again after it.
    for (const artifactId of published) {
      const at = events.findIndex((event) => event.payload['artifactId'] === artifactId);
      const { taskId } = events[at]!.payload as { taskId: string };
      const later = events.slice(at + 1).filter((event) => event.payload['taskId'] === taskId);
      expect(later.filter((event) => event.type === 'attempt.started')).toEqual([]);
    }
    expect(await digests(service, runId)).toEqual(undisturbed);
    expect(await service.end()).toBe(0);
  });
});
