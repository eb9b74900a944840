import { randomBytes } from 'node:crypto';

/** A key of 32 bytes as Standard Webhooks writes it: `whsec_` and base 64. Endpoints and event sources are signed for with such ones. */
export const newSigningSecret = (): string => `whsec_${randomBytes(32).toString('base64')}`;
