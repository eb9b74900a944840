/**
 * The Mersenne Twister as numpy's legacy `RandomState` draws from it: only for baselines that must draw what a Python program drew. Everything
 * else counts its random numbers (random.ts).
 *
 * M. Matsumoto and T. Nishimura, "Mersenne twister", 1998; numpy/random/mtrand.pyx and distributions.c, numpy 2.4.
 */
export interface Mersenne {
  /** 32 random bits */
  word(): number;
  /** `permutation(n)` */
  permutation(n: number): Int32Array;
}

/** @param seed integer, 0 to 2^32 - 1 */
export function mersenne(seed: number): Mersenne {
  const state = new Uint32Array(N);
  state[0] = seed;
  for (let i = 1; i < N; i++) {
    const before = state[i - 1]! ^ (state[i - 1]! >>> 30);
    state[i] = Math.imul(1812433253, before) + i;
  }
  let at = N;

  function word(): number {
    if (at === N) {
      for (let i = 0; i < N; i++) {
        const y = (state[i]! & 0x80000000) | (state[(i + 1) % N]! & 0x7fffffff);
        state[i] = state[(i + M) % N]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
      }
      at = 0;
    }
    let y = state[at++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  /** Uniform from 0 to `most`: words are cut to as many bits as it has, and drawn again while they are above it. */
  function upTo(most: number): number {
    const mask = 0xffffffff >>> Math.clz32(most);
    for (;;) {
      const value = (word() & mask) >>> 0;
      if (value <= most) return value;
    }
  }

  function permutation(n: number): Int32Array {
    const out = Int32Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = upTo(i);
      [out[i], out[j]] = [out[j]!, out[i]!];
    }
    return out;
  }
  return { word, permutation };
}

const N = 624;
const M = 397;
