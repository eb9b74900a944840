import { count, seconds } from './table.ts';

/** One line per piece of work: redrawn in place on a terminal, printed when it moves a tenth elsewhere. */
export interface Progress {
  update(name: string, state: ProgressState): void;
  /** A line above the moving ones. */
  say(text: string): void;
  /** Leaves the lines as they are and lets the terminal go. */
  end(): void;
}

export interface ProgressState {
  done: number;
  /** 0 where it is not known yet. */
  total: number;
  unit: string;
  /** Said behind the amount, for example what it waits for. */
  note?: string | undefined;
  /** Set once it ended: what to say after the name. */
  ended?: string;
}

interface Line {
  state: ProgressState;
  startedMs: number;
  toldTenth: number;
}

export function createProgress(out: NodeJS.WriteStream = process.stderr): Progress {
  const lines = new Map<string, Line>();
  let drawn = 0;
  let lastDrawMs = 0;

  const draw = (force: boolean) => {
    const now = Date.now();
    if (!out.isTTY || (!force && now - lastDrawMs < 80)) return;
    lastDrawMs = now;
    const text = [...lines].map(([name, line]) => `\x1b[2K${render(name, line, out.columns || 80)}\n`).join('');
    out.write((drawn > 0 ? `\x1b[${drawn}A` : '') + text);
    drawn = lines.size;
  };

  return {
    update(name, state) {
      const known = lines.get(name);
      const line = known ?? { state, startedMs: Date.now(), toldTenth: -1 };
      const ends = state.ended !== undefined && known?.state.ended === undefined;
      line.state = state;
      lines.set(name, line);
      if (out.isTTY) return draw(ends || lines.size > drawn);
      const tenth = Math.floor((10 * state.done) / (state.total || Infinity));
      if (ends || (state.ended === undefined && tenth > Math.max(0, line.toldTenth)))
        out.write(`${render(name, line, Infinity)}\n`);
      line.toldTenth = tenth;
    },
    say(text) {
      if (out.isTTY && drawn > 0) out.write(`\x1b[${drawn}A\x1b[J`);
      out.write(`${text}\n`);
      drawn = 0;
      draw(true);
    },
    end() {
      draw(true);
      lines.clear();
      drawn = 0;
    },
  };
}

const BAR = 24;

function render(name: string, { state, startedMs }: Line, columns: number): string {
  const title = name.padEnd(9);
  if (state.ended !== undefined) return `  ${title} ${state.ended}`.slice(0, columns - 1);
  const elapsed = (Date.now() - startedMs) / 1000;
  const speed =
    elapsed > 1 && state.done > 0
      ? `  ${count(Math.round(state.done / elapsed))}${state.unit === 'images' ? '' : ` ${state.unit}`}/s`
      : '';
  const left =
    elapsed > 3 && state.done > 0 && state.total > 0 ? (elapsed * (state.total - state.done)) / state.done : 0;
  const remaining = left > 1 ? `  ${seconds(left)} left` : '';
  const share = state.total > 0 ? Math.min(1, state.done / state.total) : 0;
  const filled = Math.round(BAR * share);
  const bar = '\u2588'.repeat(filled) + '\u2591'.repeat(BAR - filled);
  const amount = state.total > 0 ? `${count(state.done)} of ${count(state.total)}` : count(state.done);
  return `  ${title} ${bar} ${String(Math.floor(100 * share)).padStart(3)}%  ${amount} ${state.unit}${speed}${remaining}${state.note ? `  ${state.note}` : ''}`.slice(
    0,
    columns - 1,
  );
}
