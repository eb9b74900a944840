import { type IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { type RequestHandler } from 'express';
import { invalid } from '../../base/errors.ts';
import { isLoopbackAddress } from '../../control/identity.ts';

/**
 * Without an identity provider whoever reaches the service may do everything, so only this machine may reach it.
 * @throws INVALID_INPUT for a host that is not a loopback address
 */
export function requireLoopbackHost(host: string): void {
  if (isLoopbackName(host)) return;
  throw invalid(
    `expected HOST to be a loopback address (127.0.0.1, ::1 or localhost) because no identity provider is configured, got ${host}: ` +
      'unset HOST and forward the port (ssh -L 4000:127.0.0.1:4000), or put a proxy that authenticates in front',
  );
}

/**
 * A web page that a browser on this machine shows must not reach the service: neither under a name that it points at
 * 127.0.0.1 (DNS rebinding: the Host header is that name) nor from its own origin.
 * @param publicUrl origin of the one name that is no name of this machine, for a proxy that authenticates; it may also hand
 *   requests of its pages on under a name of this machine
 * @returns why the request is refused, or null
 */
export function refusal(request: Pick<IncomingMessage, 'headers'>, publicUrl: string | null): string | null {
  const { host, origin } = request.headers;
  const asked = hostnameOf(`http://${host ?? ''}`);
  const byPublicName = publicUrl !== null && host?.toLowerCase() === new URL(publicUrl).host;
  if (!byPublicName && (asked === null || !isLoopbackName(asked))) {
    return (
      `expected a Host header that names this machine (localhost or 127.0.0.1)${publicUrl === null ? '' : ` or is that of ${publicUrl}`}, ` +
      `got ${host ?? 'none'}: use the address that the service printed, or set PUSHFORWARD_PUBLIC_URL to that of a proxy that authenticates`
    );
  }
  if (origin === undefined || (publicUrl !== null && origin === publicUrl)) return null;
  if (URL.canParse(origin) && new URL(origin).host === host) return null;
  return `expected requests from the service's own pages or from outside a browser, got origin ${origin}: call it from a program`;
}

export function guard(publicUrl: string | null): RequestHandler {
  return (request, response, next) => {
    const reason = refusal(request, publicUrl);
    if (reason === null) return next();
    response.status(403).json({ errors: [{ message: reason, extensions: { code: 'FORBIDDEN' } }] });
  };
}

function isLoopbackName(host: string): boolean {
  const name = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  if (name === 'localhost') return true;
  return isIP(name) !== 0 && isLoopbackAddress(name);
}

function hostnameOf(url: string): string | null {
  return URL.canParse(url) ? new URL(url).hostname : null;
}
