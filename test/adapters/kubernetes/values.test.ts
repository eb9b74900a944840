import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jobName, labelValue } from '../../../src/adapters/kubernetes/names.ts';
import { classOfExitCode, exitCodeOf, fromMessage, toMessage } from '../../../src/adapters/kubernetes/outcome.ts';
import { signRunToken, verifyRunToken } from '../../../src/adapters/kubernetes/run-token.ts';

describe('names', () => {
  it('of Jobs are host names with room for an index and a suffix, and follow from run, stage and attempts', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.array(fc.string()), (runId, stage, attemptIds) => {
        const name = jobName({ runId, stage, attemptIds });
        expect(`${name}-9999-abcde`).toMatch(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
        expect(jobName({ runId, stage, attemptIds: [...attemptIds] })).toBe(name);
      }),
    );
    const of = { runId: 'run_1', stage: 'encode' };
    expect(jobName({ ...of, attemptIds: ['a'] })).not.toBe(jobName({ ...of, attemptIds: ['a', 'b'] }));
  });

  it('of labels are what Kubernetes takes', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(labelValue(text)).toMatch(/^$|^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/);
      }),
    );
    expect(labelValue('run_01j9abc')).toBe('run_01j9abc');
  });
});

describe('the last word of a worker', () => {
  it('fits what the kubelet keeps, keeps its code, and as much of its message as can be', () => {
    const details = fc.dictionary(fc.string(), fc.string({ maxLength: 3000, unit: 'grapheme' }));
    fc.assert(
      fc.property(fc.string({ maxLength: 9000, unit: 'grapheme' }), details, (message, details) => {
        const text = toMessage({ kind: 'failed', error: { code: 'INTERNAL', message, details }, peakMemoryBytes: 5 });
        expect(Buffer.byteLength(text)).toBeLessThanOrEqual(4096);
        const read = fromMessage(text);
        if (read?.kind !== 'failed') throw new Error(text);
        expect(read.error.code).toBe('INTERNAL');
        expect(
          message.startsWith(read.error.message.replace(/…$/, '').replace(/\ufffd$/, '')) || !message.isWellFormed(),
        ).toBe(true);
      }),
    );
  });

  it('is null where it is none of ours', () => {
    for (const text of [undefined, '', 'panic', 'null', '{"kind":"other"}']) expect(fromMessage(text)).toBeNull();
  });

  it('has an exit code by which its class is known', () => {
    for (const cls of ['userError', 'outOfMemory', 'timeout', 'lost', 'internal'] as const) {
      expect(classOfExitCode(exitCodeOf(cls))).toBe(cls);
    }
    expect(classOfExitCode(1)).toBeNull();
  });
});

describe('the token of a run', () => {
  const expiresAt = new Date(10_000);
  const token = signRunToken({ runId: 'run_1', expiresAt }, 'secret');

  it('names its run until it expires', () => {
    expect(verifyRunToken(token, 'secret', new Date(9_999))).toEqual({ runId: 'run_1', expiresAt });
    expect(() => verifyRunToken(token, 'secret', expiresAt)).toThrow(/one that has expired/);
  });

  it('is refused when it was changed or signed with another secret', () => {
    expect(() => verifyRunToken(token, 'another', new Date(0))).toThrow(/got another/);
    fc.assert(
      fc.property(fc.nat(token.length - 1), fc.constantFrom('A', 'b', '-', '.'), (at, character) => {
        const changed = token.slice(0, at) + character + token.slice(at + 1);
        // The last character of base64 has bits that stand for nothing.
        fc.pre(changed !== token && at < token.length - 1);
        expect(() => verifyRunToken(changed, 'secret', new Date(0))).toThrow(/expected the token of a run/);
      }),
    );
    for (const text of ['', '.', 'a', 'a.b.c']) expect(() => verifyRunToken(text, 'secret', new Date(0))).toThrow();
  });
});
