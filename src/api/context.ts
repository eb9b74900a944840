import { type Log } from '../base/log.ts';
import { type Control } from '../control/control.ts';
import { type Principal } from '../control/identity.ts';
import { type Loaders } from './loaders.ts';

/** What every resolver is handed, made anew for each request. */
export interface ApiContext {
  principal: Principal;
  control: Control;
  loaders: Loaders;
  log: Log;
  /** W3C trace id of the request; an error that is masked names it. */
  traceId: string;
}
