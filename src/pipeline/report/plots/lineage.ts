import { CARD, CONTEXT, INK, MUTED } from '../colors.ts';
import { count } from '../html.ts';
import { type LineageGraph, type LineageNode } from '../lineage.ts';
import { fitted, PAGE_WIDTH, svg, text } from './svg.ts';

/** What a node is called, and its column and row. Every way goes to the right; the main one is the middle row. */
const PLACES: Readonly<Record<string, { title: string; column: number; row: number }>> = {
  datasetVersion: { title: 'Dataset version', column: 0, row: 1 },
  prior: { title: 'Prior', column: 0, row: 2 },
  encode: { title: 'Latents', column: 1, row: 1 },
  survey: { title: 'Curves', column: 2, row: 0 },
  quantize: { title: 'Codebooks', column: 2, row: 1 },
  decode: { title: 'Images', column: 3, row: 1 },
  compare: { title: 'Comparisons', column: 4, row: 1 },
  label: { title: 'Soft labels', column: 4, row: 2 },
  page: { title: 'This page', column: 5, row: 0 },
  dataset: { title: 'Synthetic dataset', column: 5, row: 2 },
};

const BOX = { width: 148, height: 60 };
const STEP = { x: (PAGE_WIDTH - BOX.width - 4) / 5, y: 92 };
const TOP = 8;

/** Inputs, what the stages made of them, and what came out. @param words a line on each node, by its key */
export function lineagePlot({ nodes, edges }: LineageGraph, words: Readonly<Record<string, string>>): string {
  const drawn = nodes.filter(({ key }) => key in PLACES);
  const known = new Set(drawn.map(({ key }) => key));
  const ways = edges.filter(([from, to]) => known.has(from) && known.has(to));
  const told = ways.map(([from, to]) => `${PLACES[to]!.title} from ${PLACES[from]!.title}`);
  return svg({
    width: PAGE_WIDTH,
    height: TOP + 2 * STEP.y + BOX.height + 8,
    description: `Lineage from the dataset version and the prior to the synthetic dataset and this page: ${told.join('; ')}.`,
    parts: [...ways.map(([from, to]) => way(from, to)), ...drawn.map((node) => box(node, words[node.key]))],
  });
}

function corner(key: string): { x: number; y: number } {
  const { column, row } = PLACES[key]!;
  return { x: 2 + column * STEP.x, y: TOP + row * STEP.y };
}

function box(node: LineageNode, words: string | undefined): string {
  const { x, y } = corner(node.key);
  const counted = node.artifacts === 1 ? '' : `${count(node.artifacts)} artifacts`;
  const lines = [words ?? counted, node.id === null ? (words && counted) || '' : `artifact ${node.id.slice(0, 8)}`];
  return (
    `<rect x="${x}" y="${y}" width="${BOX.width}" height="${BOX.height}" rx="8" fill="${CARD}" stroke="${CONTEXT}"/>` +
    text(x + 12, y + 20, PLACES[node.key]!.title, { bold: true, fill: INK, size: 12.5 }) +
    lines
      .filter((line) => line !== '')
      .map((line, i) => text(x + 12, y + 36 + 14 * i, fitted(line, BOX.width - 20), { title: line }))
      .join('')
  );
}

/** Along the row of its start to the gap behind that column, there up or down, then along the row of its end. */
function way(from: string, to: string): string {
  const [a, b] = [corner(from), corner(to)];
  const [x1, y1, x2, y2] = [a.x + BOX.width, a.y + BOX.height / 2, b.x - 2, b.y + BOX.height / 2];
  const turn = x1 + (STEP.x - BOX.width) / 2;
  const bend = Math.sign(y2 - y1) * 8;
  const path =
    bend === 0
      ? `M${x1} ${y1}H${x2}`
      : `M${x1} ${y1}H${turn - 8}Q${turn} ${y1} ${turn} ${y1 + bend}V${y2 - bend}Q${turn} ${y2} ${turn + 8} ${y2}H${x2}`;
  return (
    `<path d="${path}" fill="none" stroke="${MUTED}" stroke-width="1.3"/>` +
    `<path d="M${x2 - 7} ${y2 - 4}L${x2} ${y2}L${x2 - 7} ${y2 + 4}" fill="none" stroke="${MUTED}" stroke-width="1.3"/>`
  );
}
