/** How long an answer asks to wait, in its header Retry-After: seconds, or a date. */
export function retryAfterMs(text: string | null): number | null {
  if (text === null || text.trim() === '') return null;
  const ms = /^\s*\d+\s*$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : null;
}
