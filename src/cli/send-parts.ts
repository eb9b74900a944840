import { throwIfAborted } from '../base/abort.ts';
import { systemClock } from '../base/clock.ts';
import { PushforwardError } from '../base/errors.ts';
import { sha256 } from '../base/json.ts';
import { type ApiClient, refuse, type Refusal } from './client.ts';
import { type Part, readPart } from './upload-parts.ts';

interface SignedPart {
  url: string;
  headers: { name: string; value: string }[];
}

const MAX_TRIES = 6;
const RETRY_MS = 250;

/** Reads parts, asks where to send them, and sends one after another; a part that fails is asked for and sent again. */
export async function sendBundle(
  client: ApiClient,
  uploadId: string,
  parts: readonly Part[],
  interrupt: AbortSignal,
  onSent: (bytes: number) => void,
): Promise<void> {
  throwIfAborted(interrupt);
  const bodies: Buffer[] = [];
  for (const part of parts) bodies.push(await readPart(part));
  const named = parts.map(({ file, number }, index) => ({ path: file.path, number, sha256: sha256(bodies[index]!) }));
  const signed = await sign(client, uploadId, named);
  for (const [index, part] of parts.entries()) {
    const again = async () => (await sign(client, uploadId, [named[index]!]))[0]!;
    await sendPart(part, signed[index]!, bodies[index]!, again, interrupt);
    onSent(part.bytes);
  }
}

async function sign(client: ApiClient, uploadId: string, parts: readonly object[]): Promise<SignedPart[]> {
  const { signUploadParts } = await client.send<{ signUploadParts: Refusal & { parts: SignedPart[] } }>(
    'SignUploadParts',
    { input: { uploadId, parts } },
  );
  refuse(signUploadParts);
  return signUploadParts.parts;
}

/** @param again a URL anew: the one before may have expired */
async function sendPart(
  { file, number }: Part,
  first: SignedPart,
  body: Buffer,
  again: () => Promise<SignedPart>,
  interrupt: AbortSignal,
): Promise<void> {
  let signed = first;
  for (let tries = 1; ; tries++) {
    const refusal = await put(signed, body, interrupt);
    if (refusal === null) return;
    throwIfAborted(interrupt);
    if (tries === MAX_TRIES) {
      throw new PushforwardError(
        'STORE_UNAVAILABLE',
        `expected ${new URL(signed.url).host} to take part ${number} of ${file.path}, got ${refusal} ${tries} times: look at the way to it and try again`,
      );
    }
    await systemClock.sleep(Math.random() * RETRY_MS * 2 ** tries, interrupt);
    signed = await again();
  }
}

/** @returns null once it is there, or why it is not */
async function put(
  { url, headers }: SignedPart,
  body: Buffer<ArrayBufferLike>,
  signal: AbortSignal,
): Promise<string | null> {
  const named = Object.fromEntries(headers.map(({ name, value }) => [name, value]));
  try {
    const answer = await fetch(url, { method: 'PUT', headers: named, body: body as Buffer<ArrayBuffer>, signal });
    const text = await answer.text();
    return answer.ok ? null : `HTTP ${answer.status} ${text.slice(0, 300)}`.trim();
  } catch (error) {
    return String((error as Error).cause ?? error);
  }
}
