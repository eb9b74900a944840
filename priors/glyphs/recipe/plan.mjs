/** Which image shows what: letter, style, face, placement and colours, all from a seed. Uneven shares are the point. */

export const LETTERS = [...'ABCDEFGHIJ'];

/** Share of each style in every class. */
export const SHARES = { sans: 0.55, serif: 0.24, mono: 0.11, display: 0.07, blackletter: 0.03 };

/** Typefaces that the training split never shows; half of the test split is made of them. */
export const HELD_OUT = new Set(['karla', 'work-sans', 'lora', 'source-code-pro', 'lobster', 'pirata-one']);

/** Ink and paper of each style; every image moves both a little. */
const COLOURS = {
  sans: { ink: [28, 34, 48], paper: [240, 241, 238] },
  serif: { ink: [92, 46, 22], paper: [247, 232, 203] },
  mono: { ink: [130, 232, 150], paper: [14, 28, 24] },
  display: { ink: [255, 226, 120], paper: [122, 38, 110] },
  blackletter: { ink: [150, 20, 30], paper: [188, 200, 214] },
};

/**
 * @param {{ perClass: number, heldOutShare: number, seed: number }} options
 * @param {{ style: string, family: string, name: string }[]} faces
 * @returns {object[]} one entry per image, classes interleaved
 */
export function plan({ perClass, heldOutShare, seed }, faces) {
  const entries = [];
  for (let i = 0; i < perClass; i++) {
    for (let label = 0; label < LETTERS.length; label++) {
      const random = randomFrom(seed, entries.length);
      const style = styleAt(i, perClass);
      const heldOut = random() < heldOutShare;
      const choices = faces.filter((face) => face.style === style && HELD_OUT.has(face.family) === heldOut);
      const face = choices[Math.floor(random() * choices.length)];
      entries.push({ label, style, face, placement: placement(random), colours: colours(style, random) });
    }
  }
  return entries;
}

/** The style of the i-th of n images of a class: shares hold exactly, up to rounding. */
function styleAt(i, n) {
  let end = 0;
  for (const [style, share] of Object.entries(SHARES)) {
    end += share;
    if (i < Math.round(end * n)) return style;
  }
  throw new Error(`expected shares that sum to 1, got ${end}`);
}

/** Rotation in degrees (sd 4), scale around 1 (sd 0.07), shifts in pixels (sd 1), each cut at 2.2 deviations. */
function placement(random) {
  return {
    degrees: 4 * normal(random),
    scale: 1 + 0.07 * normal(random),
    dx: normal(random),
    dy: normal(random),
  };
}

/** Sixteen steps from paper to ink, after a small common move of each. */
function colours(style, random) {
  const { ink, paper } = COLOURS[style];
  const from = paper.map((v) => v + 5 * normal(random));
  const to = ink.map((v) => v + 8 * normal(random));
  return Array.from({ length: 16 }, (_, step) => from.map((v, i) => clampByte(v + ((to[i] - v) * step) / 15)));
}

function clampByte(v) {
  return Math.max(0, Math.min(255, Math.round(v)));
}

function normal(random) {
  const value = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return Math.max(-2.2, Math.min(2.2, value));
}

/** Numbers in [0, 1) that follow from seed and index alone: a 32-bit mixing counter. */
function randomFrom(seed, index) {
  let state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b)) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
