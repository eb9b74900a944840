import express, { Router } from 'express';
import { invalid } from '../../base/errors.ts';
import { type Control } from '../../control/control.ts';

/** An event in bytes, once it is unpacked: those of wide tables are long. */
const MAX_EVENT_BYTES = 4 * 1024 * 1024;

/**
 * POST /api/v1/lineage takes an OpenLineage event, as its clients send it: 201 where a version is new, 200 where none is. `?project=` says of
 * which project, where the caller wants to be sure.
 */
export function lineageRoutes(control: Pick<Control, 'authenticate' | 'receiveLineage'>): Router {
  const routes = Router();
  routes.post('/api/v1/lineage', express.json({ limit: MAX_EVENT_BYTES }), async (request, response) => {
    const principal = await control.authenticate({
      remoteAddress: request.socket.remoteAddress,
      headers: request.headers,
    });
    const { project = null } = request.query;
    if (project !== null && typeof project !== 'string') {
      throw invalid('expected project once in the query, got it several times: name one');
    }
    const { versions, created } = await control.receiveLineage(principal, project, request.body);
    response.status(created.length > 0 ? 201 : 200).json({ versions });
  });
  return routes;
}
