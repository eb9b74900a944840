import express, { Router } from 'express';
import { type Control } from '../../control/control.ts';
import { MAX_EVENT_BYTES } from '../../control/triggers/receive.ts';

/**
 * POST /api/v1/events/SOURCE takes a CloudEvent in structured mode, signed as Standard Webhooks has it: 202 where triggers are evaluated for it, 200 where it
 * came before. The signature is over the bytes of the body, so they are read as they are.
 */
export function eventRoutes(control: Pick<Control, 'receiveEvent'>): Router {
  const routes = Router();
  const body = express.raw({ type: () => true, limit: MAX_EVENT_BYTES });
  routes.post('/api/v1/events/:source', body, async (request, response) => {
    const text = Buffer.isBuffer(request.body) ? request.body.toString('utf8') : '';
    const headers = Object.fromEntries(
      Object.entries(request.headers).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])),
    );
    const { id, duplicate } = await control.receiveEvent(request.params.source, text, headers);
    response.status(duplicate ? 200 : 202).json({ id, duplicate });
  });
  return routes;
}
