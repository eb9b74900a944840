import { type WebhookAnswer, type WebhookTry } from '../ports.ts';

/** Of each body, so that a log of tries stays small beside what it is of. */
const MOST_CHARACTERS = 8_192;
const MOST_HEADERS = 50;
const MOST_OF_A_HEADER = 500;

/** A try as it is kept. */
export function logged(
  of: Omit<WebhookTry, 'responseHeaders' | 'responseBody'> & { result: WebhookAnswer['result'] },
): WebhookTry {
  const { result, requestBody, ...tried } = of;
  const answered = result.kind === 'answered' ? result : null;
  return {
    ...tried,
    requestBody: shortened(withoutSignatures(requestBody)),
    responseHeaders: answered && fewHeaders(answered.headers),
    responseBody: answered && shortened(answered.body),
  };
}

/** Whoever reads the log must not be able to fetch what the URLs in a body lead to. */
function withoutSignatures(body: string): string {
  return body.replace(/(https?:\/\/[^"\\\s?]+)\?[^"\\\s]*/g, '$1?...');
}

function shortened(text: string): string {
  return text.length <= MOST_CHARACTERS ? text : `${text.slice(0, MOST_CHARACTERS)}...`;
}

function fewHeaders(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers)
      .filter(([name]) => name !== 'set-cookie')
      .slice(0, MOST_HEADERS)
      .map(([name, value]) => [name, value.slice(0, MOST_OF_A_HEADER)]),
  );
}
