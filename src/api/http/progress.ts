import express, { Router } from 'express';
import { invalid } from '../../base/errors.ts';

/** Takes what workers tell that run elsewhere. */
export interface ProgressReports {
  /**
   * @param token what the worker was given with its order
   * @throws UNAUTHENTICATED for a token that is not right; NOT_FOUND for an attempt that does not run
   */
  reportProgress(token: string, attemptId: string, itemsDone: number): void;
}

/**
 * POST /attempts/:id/progress with `{ "itemsDone": n }`. The token is the whole of its identity, so no page can forge it.
 * @param reports null as long as nobody takes any
 */
export function progressRoutes(reports: () => ProgressReports | null): Router {
  const routes = Router();
  routes.post('/attempts/:id/progress', express.json({ limit: '1kb' }), (request, response, next) => {
    const taker = reports();
    if (!taker) return next();
    const [, token = ''] = /^Bearer (.+)$/.exec(request.get('authorization') ?? '') ?? [];
    const { itemsDone } = (request.body ?? {}) as { itemsDone?: unknown };
    if (typeof itemsDone !== 'number' || !Number.isInteger(itemsDone) || itemsDone < 0) {
      throw invalid(
        `expected {"itemsDone": a whole number of 0 or more}, got ${JSON.stringify(request.body)}: correct the body`,
      );
    }
    taker.reportProgress(token, request.params.id, itemsDone);
    response.status(204).end();
  });
  return routes;
}
