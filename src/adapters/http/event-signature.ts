import { Webhook } from 'standardwebhooks';
import { type EventVerifier } from '../../control/ports.ts';

/** Signatures as Standard Webhooks has them; the library refuses what was signed five minutes ago or is to be in as many. */
export function createEventVerifier(): EventVerifier {
  return {
    verify: (body, headers, secrets) =>
      secrets.some((secret) => {
        try {
          new Webhook(secret).verify(body, headers, { jsonParse: false });
          return true;
        } catch {
          return false;
        }
      }),
  };
}
