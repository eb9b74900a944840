/** Peers that are Python packages: installed into an environment of their own, measured by a script beside the bench. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pythonEnvironment, type PythonWanted } from '../support/python.ts';

export interface Peers {
  /**
   * Runs a script of this folder and parses what it prints. Arrays go by files.
   * @param threads of BLAS and OpenMP
   */
  run(script: string, args: readonly string[], options: { threads: number }): Promise<unknown>;
}

/** @throws where there is no Python or a package cannot be installed: a bench without its peers is none */
export async function pythonPeers(wanted: PythonWanted): Promise<Peers> {
  const { python, missing } = await pythonEnvironment(wanted);
  if (missing !== null) throw new Error(`the peers of this bench need ${missing}: install it`);
  return {
    async run(script, args, { threads }) {
      const env: NodeJS.ProcessEnv = { ...process.env };
      // Overrides of the processor's kind hold current libraries back.
      delete env['OPENBLAS_CORETYPE'];
      delete env['OPENBLAS_L2_SIZE'];
      for (const library of ['OMP', 'OPENBLAS', 'MKL']) env[`${library}_NUM_THREADS`] = String(threads);
      const options = { env, maxBuffer: 256 * 1024 * 1024 };
      const { stdout } = await promisify(execFile)(python, [join(import.meta.dirname, script), ...args], options);
      return JSON.parse(stdout) as unknown;
    },
  };
}
