/**
 * Mass at sinks: piece e is `units[e]` of sample `sample[e]` at sink `sink[e]`. A sample starts as one piece, the one of its index; moving a
 * part of a piece splits it, and parts of a sample that meet at a sink are one piece again.
 */
export interface Pieces {
  /** pieces in use and given up; of the latter `units` is 0 */
  count: number;
  sample: Int32Array;
  sink: Int32Array;
  units: Float64Array;
}

/**
 * @param sinks (n,): where each sample starts
 * @param supplies (n,): its units
 */
export function wholePieces(sinks: Int32Array, supplies: Float64Array): Pieces {
  const sample = new Int32Array(sinks.length);
  for (let i = 0; i < sample.length; i++) sample[i] = i;
  return { count: sample.length, sample, sink: sinks, units: supplies.slice() };
}
