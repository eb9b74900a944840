export { createOpenLineageHttp } from './openlineage.ts';
export { createOpenLineageFile } from './openlineage-file.ts';
export { createWebhookHttp } from './webhook-sender.ts';
export { createEventVerifier } from './event-signature.ts';
