/** The first text that was there before, or null. */
export function repeated(texts: Iterable<string>): string | null {
  const seen = new Set<string>();
  for (const text of texts) {
    if (seen.has(text)) return text;
    seen.add(text);
  }
  return null;
}
