import { type ObjectName } from '../../pipeline/ports.ts';

export const keyOf = (name: ObjectName, sha256: string): string => (typeof name === 'string' ? name : name(sha256));

/** For messages, before the digest is known. */
export const described = (name: ObjectName): string => keyOf(name, '<sha256>');
