import { createHmac, timingSafeEqual } from 'node:crypto';
import { PushforwardError } from '../../base/errors.ts';

/** What the workers of a run may do with it: tell their progress, until it expires. */
export interface RunToken {
  runId: string;
  expiresAt: Date;
}

export function signRunToken({ runId, expiresAt }: RunToken, secret: string): string {
  const claims = Buffer.from(JSON.stringify([runId, expiresAt.getTime()])).toString('base64url');
  return `${claims}.${signatureOf(claims, secret).toString('base64url')}`;
}

/** @throws UNAUTHENTICATED for a token that was not signed with this secret, or has expired */
export function verifyRunToken(token: string, secret: string, now: Date): RunToken {
  const [claims = '', signature = ''] = token.split('.');
  const received = Buffer.from(signature, 'base64url');
  const expected = signatureOf(claims, secret);
  if (received.length !== expected.length || !timingSafeEqual(received, expected)) throw refused('another');
  const [runId, expires] = JSON.parse(Buffer.from(claims, 'base64url').toString()) as [string, number];
  if (expires <= now.getTime()) throw refused('one that has expired');
  return { runId, expiresAt: new Date(expires) };
}

/** Keyed apart from everything else that the secret signs. */
function signatureOf(claims: string, secret: string): Buffer {
  return createHmac('sha256', secret).update(`run-token ${claims}`).digest();
}

function refused(received: string): PushforwardError {
  return new PushforwardError(
    'UNAUTHENTICATED',
    `expected the token of a run as the service gave it to the run's workers, got ${received}: start the attempt again`,
  );
}
