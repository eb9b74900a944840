import { type ObjectPlace, type ObjectReader } from './ports.ts';

/** What an upload holds, or a file or folder of it: `upload:ID`, `upload:ID/path`. */
export interface UploadLocation {
  id: string;
  /** Empty for all of it; without a slash at either end. */
  path: string;
}

/** Null if the text is no such name. */
export function parseUploadUri(text: string): UploadLocation | null {
  const [, id, path = ''] = /^upload:([a-z0-9_]+)(?:\/(.*?))?\/?$/.exec(text) ?? [];
  return id === undefined ? null : { id, path };
}

export const uploadUri = ({ id, path }: UploadLocation): string =>
  path === '' ? `upload:${id}` : `upload:${id}/${path}`;

/** What the keys of all uploads of a project begin with. */
export const uploadsPrefix = (projectId: string): string => `projects/${projectId}/uploads/`;

/** What the keys of its files begin with. */
export const uploadFolder = (projectId: string, id: string): string => `${uploadsPrefix(projectId)}${id}/`;

/** Where an upload lies: in the store of the project that asks, so that nobody reaches that of another. */
export function uploadPlace(store: ObjectReader, uri: string, projectId: string): ObjectPlace | null {
  const found = parseUploadUri(uri);
  const key = found && (uploadFolder(projectId, found.id) + found.path).replace(/\/$/, '');
  return key === null ? null : { store, key, immutable: true };
}
