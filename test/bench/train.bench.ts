/**
 * A step of training against PyTorch on the same CPU, threads, batch and network, from the same weights: images per second, medians of
 * turns before and after the peer's. PyTorch is Debian's: PyPI's wheels for Linux are CUDA builds of gigabytes.
 * The peer is the faster of eager and channels last, each in a process of its own, as ours is.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createModelRuntime } from '../../src/adapters/runtime/index.ts';
import { feedsOf, prepare, writeJob, type Job } from '../support/training.ts';
import { type Bench } from './bench.ts';
import { median, timeMs } from './measure.ts';
import { pythonPeers } from './peers.ts';

const THREADS = 2;
const TURNS = 3;
const IMAGE = { size: 32, channels: 3, classes: 10 };
const convNet = (norm: 'instance' | 'batch'): Job['student'] => ({ kind: 'convnet', norm, width: 128, ...IMAGE });
const RESNET: Job['student'] = { kind: 'resnet', widths: [64, 128, 256, 512], ...IMAGE };

/** Batches of the protocols, as far as a step takes seconds. */
const CASES: { name: string; student: Job['student']; batch: number; optimizer: Job['optimizer'] }[] = [
  { name: 'convnet3 instance norm batch=256 sgd', student: convNet('instance'), batch: 256, optimizer: 'sgd' },
  { name: 'convnet3 batch norm batch=50 adamw', student: convNet('batch'), batch: 50, optimizer: 'adamw' },
  { name: 'convnet3 batch norm batch=10 adamw', student: convNet('batch'), batch: 10, optimizer: 'adamw' },
  { name: 'resnet18 batch=128 adamw', student: RESNET, batch: 128, optimizer: 'adamw' },
  { name: 'resnet18 batch=32 adamw', student: RESNET, batch: 32, optimizer: 'adamw' },
];

export const bench: Bench = {
  about: 'a step of training of both students, against PyTorch',
  async *cases(wanted) {
    const peers = await pythonPeers({
      requirements: [],
      system: { modules: ['torch', 'numpy'], debian: ['python3-torch', 'python3-numpy'] },
    });
    const runtime = await createModelRuntime({ provider: 'cpu', threads: THREADS });
    const folder = await mkdtemp(join(tmpdir(), 'pushforward-train-'));
    for (const { name, student, batch, optimizer } of CASES) {
      if (!wanted(name)) continue;
      const job: Job = {
        ...{ student, optimizer, batch, batches: 1, threads: THREADS, turns: TURNS },
        ...{ temperature: 20, rate: 1e-3, weightDecay: 0.01 },
      };
      const prepared = prepare(job);
      await writeJob(folder, job, prepared);
      const { graph, state } = prepared.step;
      const run = (await runtime.compile(name, graph, state)).begin(prepared.start);
      const times: number[] = [];
      let step = 0;
      const turns = async () => {
        await run.step(feedsOf(prepared, job, ++step));
        for (let turn = 0; turn < TURNS; turn++)
          times.push(await timeMs(() => run.step(feedsOf(prepared, job, ++step))));
      };
      await turns();
      const told = (await peers.run('../support/train_torch.py', ['time', folder], { threads: THREADS })) as {
        torch: string;
        seconds: Record<string, number>;
      };
      await turns();
      yield {
        case: name,
        unit: 'images/s',
        ours: (1000 * batch) / median(times),
        peers: Object.fromEntries(Object.entries(told.seconds).map(([peer, seconds]) => [peer, batch / seconds])),
        target: 0.8,
        ...{ nodes: graph.nodes.length, torch: told.torch },
      };
    }
    await rm(folder, { recursive: true, force: true });
    await runtime.close();
  },
};
