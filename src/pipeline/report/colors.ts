/** Colours of page, plots and contact sheet. Those of series are Okabe and Ito's, which people tell apart who see few. */

export const INK = '#1b1f24';
export const MUTED = '#5b6472';
/** Lines of tables, grids and empty bars. */
export const LINE = '#e5e7eb';
/** What stands behind: axes, medians. */
export const CONTEXT = '#c3c9d2';

/** The weighted codebook, and weights. */
export const WEIGHTED = '#0072b2';
export const BALANCED = '#009e73';
export const UNIFORM = '#9aa3af';
export const D4M = '#d55e00';
export const HELD_OUT = '#cc79a7';
