import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createProgress } from '../../src/cli/progress.ts';

/** A stream that remembers what was written to it. */
function screen(tty: boolean, columns = 60) {
  const out = new PassThrough();
  let text = '';
  out.on('data', (part: Buffer) => (text += part.toString()));
  return { out: Object.assign(out, { isTTY: tty, columns }) as unknown as NodeJS.WriteStream, text: () => text };
}

describe('progress', () => {
  it('prints a line for every tenth and for the end where there is no terminal', () => {
    const { out, text } = screen(false);
    const progress = createProgress(out);
    for (let done = 0; done <= 100; done++) progress.update('encode', { done, total: 100, unit: 'images' });
    progress.update('encode', { done: 100, total: 100, unit: 'images', ended: 'done in 1.0 s' });
    progress.update('encode', { done: 100, total: 100, unit: 'images', ended: 'done in 1.0 s' });
    const lines = text().trimEnd().split('\n');
    expect(lines).toHaveLength(11);
    expect(lines.at(-2)).toMatch(/100% {2}100 of 100 images/);
    expect(lines.at(-1)).toBe('  encode    done in 1.0 s');
  });

  it('says what was skipped though it never began', () => {
    const { out, text } = screen(false);
    const why = 'a reason that is told to its end, '.repeat(5);
    createProgress(out).update('evaluate', { done: 0, total: 0, unit: '', ended: `skipped: ${why}` });
    expect(text()).toBe(`  evaluate  skipped: ${why}\n`);
  });

  it('says what it waits for behind the amount', () => {
    const { out, text } = screen(true, 100);
    createProgress(out).update('encode', { done: 0, total: 4, unit: 'images', note: '2 wait: its queue is full' });
    expect(text()).toMatch(/0 of 4 images {2}2 wait: its queue is full\n$/);
  });

  it('redraws its lines in place on a terminal, none wider than it', () => {
    const { out, text } = screen(true, 40);
    const progress = createProgress(out);
    progress.update('encode', { done: 5, total: 10, unit: 'images' });
    progress.update('quantize', { done: 1, total: 10, unit: 'images' });
    progress.end();
    expect(text()).toContain('\x1b[2A');
    for (const line of text()
      .replace(/\x1b\[\d*[A-K]/g, '')
      .split('\n'))
      expect(line.length).toBeLessThan(40);
  });
});
