/** The part of a dataset version that is told once it is imported; of `schema/operations/DatasetVersion.graphql`. */
export interface ImportFacts {
  id: string;
  classes: { name: string }[] | null;
  summary: string[] | null;
}

/** What was imported, a line each on images and source, and what a person may want to look into. */
export function importSummary({ id, classes, summary }: ImportFacts): string {
  const alike = alikeButForCase((classes ?? []).map(({ name }) => name));
  const shown = alike.slice(0, 3).map((names) => names.join(' and '));
  const note =
    alike.length > 0
      ? [
          `Classes that differ only by case are taken as different: ${shown.join('; ')}${alike.length > 3 ? '; ...' : ''}.`,
        ]
      : [];
  return ['', `Dataset version ${id}`, ...(summary ?? []).map((line) => `  ${line}`), ...note].join('\n');
}

function alikeButForCase(names: readonly string[]): string[][] {
  const byFolded = new Map<string, string[]>();
  for (const name of names) {
    const folded = name.normalize('NFC').toLowerCase();
    byFolded.set(folded, [...(byFolded.get(folded) ?? []), name]);
  }
  return [...byFolded.values()].filter((alike) => alike.length > 1);
}
