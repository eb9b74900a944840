import { type ComparedRow } from './figures.ts';
import { escape, folded, mean, table } from './html.ts';

/** What became of the points when they were decoded: of the images, encoded again. */
export function decodedSection(rows: readonly ComparedRow[], refit: boolean): string {
  const fixed = (value: number) => value.toFixed(4);
  const average = (of: (row: ComparedRow) => number) => mean(rows, of);
  const cells = (of: (value: (row: ComparedRow) => number) => number): string[] => [
    fixed(of((row) => row.w2Weighted)),
    fixed(of((row) => row.w2Decoded)),
    fixed(of((row) => row.w2DecodedBias)),
    ratio(of((row) => row.nearestRatio ?? NaN)),
    fixed(of((row) => row.energyDecoded)),
    fixed(of((row) => row.energyRefit)),
    fixed(of((row) => row.w2Refit)),
    of((row) => row.essRefit).toFixed(1),
  ];
  return `<section>
<h2>What the decoder did</h2>
<p class="muted">The decoded images, encoded again, against the training latents. <em>Added</em>: W2 of the images less that of the points. <em>Nearest</em>:
median distance to the nearest training latent, as a fraction of that between training latents; centroids lie at 0.5 to 0.9 on CIFAR-10 and glyphs, copies near 0.
<em>Energy</em>: energy distance, with the weights of the points and with weights refitted on the images. ${
    refit
      ? 'The synthetic dataset has the refitted weights.'
      : 'The synthetic dataset has the weights of the points; <code>weights.refit</code> asks for the others.'
  }</p>
${folded(
  rows.length,
  table(
    ['Class', 'W2 points', 'W2 images', 'Added', 'Nearest', 'Energy', 'Energy refitted', 'W2 refitted', 'ESS refitted'],
    rows.map((row) => [escape(row.name), ...cells((of) => of(row))]),
    ['Mean', ...cells(average)],
  ),
)}
</section>`;
}

const ratio = (value: number): string => (Number.isNaN(value) ? 'not found' : value.toFixed(2));
