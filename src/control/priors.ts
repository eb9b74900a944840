import { newId } from '../base/ids.ts';
import { type Clock } from '../base/clock.ts';
import { type Log } from '../base/log.ts';
import { type Principal } from './identity.ts';
import { resolveReadable } from './paths.ts';
import { type Catalog, type PriorRegistrar, type RealPath } from './ports.ts';
import { type PriorView } from './views.ts';

export interface RegisterPriorInput {
  /** Absolute path of the bundle's folder on the machine of the service. */
  path: string;
}

/** Validates and publishes a bundle. Files of the same digests give the same prior, so asking twice does no harm. */
export async function registerPrior(
  of: {
    catalog: Catalog;
    registrar: PriorRegistrar;
    clock: Clock;
    log: Log;
    importRoots: readonly string[] | null;
    realPath: RealPath;
  },
  principal: Principal,
  input: RegisterPriorInput,
  signal: AbortSignal,
): Promise<{ prior: PriorView; reused: boolean }> {
  const path = await resolveReadable(input.path, of.importRoots, of.realPath);
  const registered = await of.registrar.registerPrior({ projectId: principal.projectId, path, signal });
  const rows = of.catalog.project(principal.projectId);
  const { prior, created } = await rows.savePrior(newId('pri', of.clock.now().getTime()), registered);
  of.log.info('prior registered', { priorId: prior.id, name: prior.name, digest: prior.digest, reused: !created });
  return { prior, reused: !created };
}
