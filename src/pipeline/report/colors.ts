/**
 * Colours of page and plots, where it is light and where it is dark. Those of series are Okabe and Ito's, which people tell apart who see few,
 * and lighter ones of the same hues on dark.
 */
const PALETTE = {
  ink: ['#1b1f24', '#e7eaee'],
  muted: ['#5b6472', '#a3adba'],
  /** Lines of tables, grids and empty bars. */
  line: ['#e5e7eb', '#333a44'],
  /** What stands behind: axes, medians. */
  context: ['#c3c9d2', '#56606d'],
  page: ['#f8f9fb', '#101317'],
  card: ['#ffffff', '#191d23'],
  warning: ['#fff4e5', '#33261a'],
  /** The weighted codebook, and weights. */
  weighted: ['#0072b2', '#4fa9e2'],
  balanced: ['#009e73', '#25b88d'],
  uniform: ['#9aa3af', '#7f8997'],
  d4m: ['#d55e00', '#f0823a'],
  heldOut: ['#cc79a7', '#dc94bd'],
} as const;

const variable = (name: keyof typeof PALETTE): string => `var(--${name})`;

export const INK = variable('ink');
export const MUTED = variable('muted');
export const LINE = variable('line');
export const CONTEXT = variable('context');
export const CARD = variable('card');
export const WEIGHTED = variable('weighted');
export const BALANCED = variable('balanced');
export const UNIFORM = variable('uniform');
export const D4M = variable('d4m');
export const HELD_OUT = variable('heldOut');

/** Of a picture, which is on white whatever is around it. */
export const ON_WHITE = {
  ink: PALETTE.ink[0],
  muted: PALETTE.muted[0],
  line: PALETTE.line[0],
  weighted: PALETTE.weighted[0],
};

/** What a style sheet says of them: whatever draws with these colours needs it. */
export function palette(): string {
  const values = (at: 0 | 1) =>
    Object.entries(PALETTE)
      .map(([name, colors]) => `--${name}: ${colors[at]};`)
      .join(' ');
  return `:root { color-scheme: light dark; ${values(0)} }
@media (prefers-color-scheme: dark) { :root { ${values(1)} } }`;
}
