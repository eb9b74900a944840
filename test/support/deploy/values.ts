import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMap, isScalar, parseDocument, type Node, type YAMLMap } from 'yaml';
import { CHART } from './chart.ts';

export interface ChartValue {
  /** `image.tag` */
  path: string;
  description: string;
  /** What stands in values.yaml; absent for a group of values. */
  fallback?: unknown;
}

/** Every value of the chart, described by the comment above it. @throws naming one that has none */
export function chartValues(text = readFileSync(join(CHART, 'values.yaml'), 'utf8')): ChartValue[] {
  const document = parseDocument(text);
  const top = document.contents as unknown as YAMLMap;
  return valuesOf(top, '', document.commentBefore ?? undefined);
}

/** The values as a table of Markdown. */
export function valuesTable(values: readonly ChartValue[]): string {
  const rows = values.map(({ path, description, fallback }) => {
    const shown = fallback === undefined ? '' : `\`${JSON.stringify(fallback)}\``;
    return `| \`${path}\` | ${[description, shown].map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  return ['| value | meaning | default |', '| --- | --- | --- |', ...rows].join('\n');
}

/** The README of the chart with the table of values, which stands behind its last heading. */
export function readmeWithValues(readme: string): string {
  const heading = '\n## Values\n';
  const at = readme.indexOf(heading);
  if (at < 0) throw new Error('expected a heading `## Values` in the README of the chart, got none');
  return `${readme.slice(0, at)}${heading}\n${valuesTable(chartValues())}\n`;
}

function valuesOf(map: YAMLMap, prefix: string, above?: string): ChartValue[] {
  return map.items.flatMap((pair, i) => {
    const key = pair.key as Node & { value: string };
    const value = pair.value as Node;
    const path = prefix + key.value;
    // What stands above the first key is the map's.
    const comment = key.commentBefore ?? (i === 0 ? (map.commentBefore ?? above) : undefined);
    if (!comment) throw new Error(`expected a comment above ${path} in values.yaml, got none: say what it is`);
    const description = comment.replace(/\s*\n\s*/g, ' ').trim();
    if (isMap(value) && value.items.length > 0 && !value.flow) {
      return [{ path, description }, ...valuesOf(value as YAMLMap, `${path}.`)];
    }
    return [{ path, description, fallback: isScalar(value) ? value.value : (value.toJSON() as unknown) }];
  });
}
