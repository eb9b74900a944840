import { type Pieces } from './pieces.ts';

/**
 * The cheapest piece to move from each sink to each other.
 */
export interface Moves {
  /** (k, k) by target: the least cost[i, b] - cost[i, a] over the pieces at a, at [b * k + a]; a lower bound unless `isCurrent` */
  readonly into: Float64Array;
  /** (k, k) by source: the same at [a * k + b] */
  readonly outOf: Float64Array;
  /** The piece that is cheapest to move from a to b, if that is current. */
  cheapest(a: number, b: number): number;
  /** False once the cheapest piece has left a. */
  isCurrent(a: number, b: number): boolean;
  /** Looks through the pieces at a for the cheapest one to b. */
  refresh(a: number, b: number): void;
  /** Moves `amount` of a piece, at most all of it, to sink b. */
  move(piece: number, b: number, amount: number): void;
}

/**
 * @param cost (n, k)
 * @param pieces one for each sample; one without units takes no part. Changed as they move.
 */
export function movesFrom(cost: Float64Array, n: number, k: number, pieces: Pieces): Moves {
  const { into, outOf, cheapestInto } = cheapestMoves(cost, n, k, pieces);
  const members = membersOf(pieces, k);
  let place = members.place;
  const at = members.at;
  const partsOfSample = new Map<number, number[]>();
  return { into, outOf, cheapest: (a, b) => cheapestInto[b * k + a]!, isCurrent, refresh, move };

  function isCurrent(a: number, b: number): boolean {
    const piece = cheapestInto[b * k + a]!;
    return piece >= 0 && pieces.sink[piece] === a;
  }

  function refresh(a: number, b: number): void {
    const { sample } = pieces;
    const candidates = at[a]!;
    let least = Infinity;
    let cheapest = -1;
    for (let j = 0; j < candidates.length; j++) {
      const piece = candidates[j]!;
      const row = sample[piece]! * k;
      const difference = cost[row + b]! - cost[row + a]!;
      if (difference < least) {
        least = difference;
        cheapest = piece;
      }
    }
    into[b * k + a] = outOf[a * k + b] = least;
    cheapestInto[b * k + a] = cheapest;
  }

  function move(piece: number, b: number, amount: number): void {
    const a = pieces.sink[piece]!;
    const whole = pieces.units[piece] === amount;
    const part = partAt(piece, b);
    if (part >= 0) {
      pieces.units[part]! += amount;
      pieces.units[piece]! -= amount;
      if (whole) giveUp(piece, a);
    } else if (whole) {
      leave(piece, a);
      enter(piece, b);
    } else {
      pieces.units[piece]! -= amount;
      enter(partOf(piece, amount), b);
    }
  }

  /** Another piece of the same sample at b, or -1. */
  function partAt(piece: number, b: number): number {
    const parts = partsOfSample.get(pieces.sample[piece]!);
    return parts?.find((part) => pieces.sink[part] === b) ?? -1;
  }

  function partOf(piece: number, amount: number): number {
    const part = pieces.count++;
    if (part === pieces.sample.length) {
      pieces.sample = grown(pieces.sample, new Int32Array(2 * part));
      pieces.sink = grown(pieces.sink, new Int32Array(2 * part));
      pieces.units = grown(pieces.units, new Float64Array(2 * part));
      place = grown(place, new Int32Array(2 * part));
    }
    const sample = pieces.sample[piece]!;
    pieces.sample[part] = sample;
    pieces.units[part] = amount;
    partsOfSample.set(sample, [...(partsOfSample.get(sample) ?? [piece]), part]);
    return part;
  }

  function giveUp(piece: number, a: number): void {
    const sample = pieces.sample[piece]!;
    leave(piece, a);
    pieces.sink[piece] = -1;
    partsOfSample.set(
      sample,
      partsOfSample.get(sample)!.filter((part) => part !== piece),
    );
  }

  function leave(piece: number, a: number): void {
    const last = at[a]!.pop()!;
    if (last === piece) return;
    at[a]![place[piece]!] = last;
    place[last] = place[piece]!;
  }

  function enter(piece: number, b: number): void {
    place[piece] = at[b]!.length;
    at[b]!.push(piece);
    pieces.sink[piece] = b;
    const row = pieces.sample[piece]! * k;
    const own = cost[row + b]!;
    for (let c = 0, p = b * k; c < k; c++, p++) {
      const difference = cost[row + c]! - own;
      if (difference >= outOf[p]!) continue;
      outOf[p] = into[c * k + b] = difference;
      cheapestInto[c * k + b] = piece;
    }
  }
}

/** The cheapest sample to move from each sink to each other, in one pass over the costs. */
function cheapestMoves(cost: Float64Array, n: number, k: number, { sink: sinks, units }: Pieces) {
  const outOf = new Float64Array(k * k).fill(Infinity);
  const cheapest = new Int32Array(k * k).fill(-1);
  for (let i = 0, row = 0; i < n; i++, row += k) {
    if (units[i] === 0) continue;
    const from = sinks[i]! * k;
    const own = cost[row + sinks[i]!]!;
    for (let c = 0; c < k; c++) {
      const difference = cost[row + c]! - own;
      if (difference >= outOf[from + c]!) continue;
      outOf[from + c] = difference;
      cheapest[from + c] = i;
    }
  }
  const into = new Float64Array(k * k);
  const cheapestInto = new Int32Array(k * k);
  for (let a = 0; a < k; a++)
    for (let b = 0; b < k; b++) {
      into[b * k + a] = outOf[a * k + b]!;
      cheapestInto[b * k + a] = cheapest[a * k + b]!;
    }
  return { into, outOf, cheapestInto };
}

/** The pieces at each sink, and the place of each piece among them. */
function membersOf({ sink: sinks, units }: Pieces, k: number) {
  const at = Array.from({ length: k }, (): number[] => []);
  const place = new Int32Array(sinks.length);
  for (let i = 0; i < sinks.length; i++) {
    if (units[i] === 0) continue;
    const members = at[sinks[i]!]!;
    place[i] = members.length;
    members.push(i);
  }
  return { at, place };
}

function grown<T extends Int32Array | Float64Array>(values: T, larger: T): T {
  larger.set(values);
  return larger;
}
