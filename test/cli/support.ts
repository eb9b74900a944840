import { afterEach, beforeEach, vi } from 'vitest';
import { type ApiClient } from '../../src/cli/client.ts';

/** What a command prints, by line, from the beginning of the test on. */
export function printed(): { lines: string[] } {
  const out = { lines: [] as string[] };
  beforeEach(() => {
    out.lines = [];
    vi.spyOn(console, 'log').mockImplementation((text: string) => void out.lines.push(...text.split('\n')));
  });
  afterEach(() => vi.restoreAllMocks());
  return out;
}

/** A client whose service answers each operation with what is given, and what was sent to it. */
export function answering(answers: Record<string, unknown>): ApiClient & { sent: [string, unknown][] } {
  const sent: [string, unknown][] = [];
  const send = (name: string, variables: unknown) => {
    sent.push([name, variables]);
    return Promise.resolve(answers[name]);
  };
  return { send, sent } as unknown as ApiClient & { sent: [string, unknown][] };
}
