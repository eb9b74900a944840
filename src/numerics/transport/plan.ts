import { type Pieces } from './pieces.ts';

/** Where mass goes: entry e carries `mass[e]` from sample `samples[e]` to sink `sinks[e]`. Sorted by sample, then sink. */
export interface Plan {
  readonly samples: Int32Array;
  readonly sinks: Int32Array;
  readonly mass: Float64Array;
}

/** @param total units in all, which are a mass of 1 */
export function planOf(pieces: Pieces, n: number, total: number): Plan {
  const { sample, sink, units } = pieces;
  const begins = new Int32Array(n + 1);
  for (let e = 0; e < pieces.count; e++) if (units[e]! > 0) begins[sample[e]! + 1]!++;
  for (let i = 0; i < n; i++) begins[i + 1]! += begins[i]!;
  const entries = begins[n]!;
  const ordered = new Int32Array(entries);
  const ends = begins.slice();
  for (let e = 0; e < pieces.count; e++) {
    if (!(units[e]! > 0)) continue;
    // The parts of a sample are few.
    let at = ends[sample[e]!]!++;
    for (; at > begins[sample[e]!]! && sink[ordered[at - 1]!]! > sink[e]!; at--) ordered[at] = ordered[at - 1]!;
    ordered[at] = e;
  }
  const plan = { samples: new Int32Array(entries), sinks: new Int32Array(entries), mass: new Float64Array(entries) };
  ordered.forEach((e, at) => {
    plan.samples[at] = sample[e]!;
    plan.sinks[at] = sink[e]!;
    plan.mass[at] = units[e]! / total;
  });
  return plan;
}
