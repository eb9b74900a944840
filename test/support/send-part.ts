import { type SignedUploadPart } from '../../src/control/uploads.ts';

/** Sends a part as any client would: status and text of the answer. */
export async function sendPart(
  { url, headers }: Pick<SignedUploadPart, 'url' | 'headers'>,
  body: Uint8Array,
): Promise<{ status: number; text: string }> {
  const answer = await fetch(url, {
    method: 'PUT',
    headers: Object.fromEntries(headers.map(({ name, value }) => [name, value])),
    body: Buffer.from(body),
  });
  return { status: answer.status, text: await answer.text() };
}
