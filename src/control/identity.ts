import { PushforwardError } from '../base/errors.ts';

/** Who asks, and in which project. Every use case takes one; every query carries its project. */
export interface Principal {
  projectId: string;
  actor: string;
}

/** What a transport knows of a request. Header names are lower case. */
export interface RequestFacts {
  remoteAddress: string | undefined;
  headers: Record<string, string | string[] | undefined>;
}

export const DEFAULT_PROJECT = { id: 'default', name: 'Default project' } as const;

/** Embedded identity: whoever can reach a loopback address is the one local user. */
export function authenticateLocal(request: RequestFacts): Principal {
  if (!isLoopbackAddress(request.remoteAddress ?? '')) {
    throw new PushforwardError(
      'UNAUTHENTICATED',
      `expected a request from a loopback address, got one from ${request.remoteAddress ?? 'nowhere'}: no identity provider is configured, so only this machine may ask`,
    );
  }
  return { projectId: DEFAULT_PROJECT.id, actor: 'local' };
}

/** 127.0.0.0/8 and ::1, also as IPv6 writes IPv4. */
export function isLoopbackAddress(address: string): boolean {
  const plain = address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address;
  return plain === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(plain);
}
