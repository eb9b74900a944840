import { lookup } from 'node:dns/promises';
import ipaddr from 'ipaddr.js';
import { invalid } from '../../base/errors.ts';

/**
 * Where webhooks may go. Whoever names an endpoint makes this service send requests, so they must not reach what only the service
 * can: its own machine, the network beside it, or what a cloud tells its machines (169.254.169.254, fd00:ec2::254). The address counts and not the
 * name, which may lead elsewhere the next time it is asked about: a name is resolved once, and the connection goes to what was looked at.
 */
export interface WebhookTargets {
  /** What can be told before a name is resolved. @throws INVALID_INPUT */
  checkUrl(url: string): void;
  /** Addresses of the host that may be connected to. @throws where none may */
  resolve(host: string, plain: boolean): Promise<{ address: string; family: 4 | 6 }[]>;
}

/** Public, and yet the metadata service of a cloud (Azure's wire server). */
const SPECIAL = new Set(['168.63.129.16']);

type Range = [ipaddr.IPv4 | ipaddr.IPv6, number];
export type Resolve = (host: string) => Promise<{ address: string; family: number }[]>;

/**
 * @param allow ranges such as `10.1.0.0/16` that may be reached though they are not public, without TLS as well
 * @throws INVALID_INPUT for one that is no range
 */
export function createWebhookTargets(
  allow: readonly string[],
  resolve: Resolve = (host) => lookup(host, { all: true }),
): WebhookTargets {
  const allowed = allow.map(parseRange);

  return {
    checkUrl(text) {
      const url = URL.canParse(text) ? new URL(text) : null;
      const wrong = (got: string, remedy: string) =>
        invalid(`expected the URL of a webhook to be https://host/path, got ${got}: ${remedy}`, { path: ['url'] });
      if (!url || !['https:', 'http:'].includes(url.protocol)) throw wrong('another', 'correct it');
      if (url.username !== '' || url.password !== '') throw wrong('user and password in it', 'set a header instead');
      if (url.hash !== '') throw wrong('a fragment', 'leave out what follows #');
      if (url.protocol === 'http:' && allowed.length === 0) {
        throw wrong('http://', 'use TLS, or have PUSHFORWARD_WEBHOOK_ALLOW name the network that it lies in');
      }
      const address = literal(url.hostname);
      if (address !== null && !mayReach(address, url.protocol === 'http:')) {
        throw wrong(address, 'name a public host, or have PUSHFORWARD_WEBHOOK_ALLOW name the network that it lies in');
      }
    },

    async resolve(host, plain) {
      const address = literal(host);
      const found =
        address === null ? await resolve(host) : [{ address, family: ipaddr.parse(address).kind() === 'ipv4' ? 4 : 6 }];
      const open = found.filter((one) => mayReach(one.address, plain));
      if (open.length > 0) return open.map((one) => ({ address: one.address, family: one.family === 6 ? 6 : 4 }));
      const got = found.map((one) => one.address).join(', ') || 'none';
      throw new Error(
        `expected ${host} to have a public address${plain ? ' that is allowed without TLS' : ''}, got ${got}: name another host, or have PUSHFORWARD_WEBHOOK_ALLOW name its network`,
      );
    },
  };

  function mayReach(text: string, plain: boolean): boolean {
    if (!ipaddr.isValid(text)) return false;
    // `process` makes IPv4 of what IPv6 wraps it in: ::ffff:127.0.0.1
    const address = ipaddr.process(text);
    const inAllowed = allowed.some(([range, bits]) => range.kind() === address.kind() && address.match(range, bits));
    return inAllowed || (!plain && isPublic(address) && !SPECIAL.has(address.toString()));
  }
}

/** Of IPv6 what is given out (RFC 4291, section 2.4): the rest is unicast in name, `::7f00:1` among it, which some take for 127.0.0.1. */
function isPublic(address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  return address.range() === 'unicast' && (address.kind() === 'ipv4' || address.match(GIVEN_OUT));
}

const GIVEN_OUT = ipaddr.parseCIDR('2000::/3');

/** The address that a host is, in brackets or not; null where it is a name. */
function literal(host: string): string | null {
  const bare = host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
  return ipaddr.isValid(bare) ? bare : null;
}

/** @throws INVALID_INPUT */
function parseRange(range: string): Range {
  if (ipaddr.isValidCIDR(range)) return ipaddr.parseCIDR(range);
  throw invalid(
    `expected each of PUSHFORWARD_WEBHOOK_ALLOW to be a range of addresses such as 10.1.0.0/16, got ${range}: correct the environment`,
  );
}
