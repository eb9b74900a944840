import { createHash } from 'node:crypto';
import { canonicalJson, sha256, type JsonObject } from '../base/json.ts';
import { PushforwardError } from '../base/errors.ts';
import { readAnew } from '../base/read-anew.ts';
import { type ArtifactManifest, type BlobReference, type Publications } from '../engine/ports.ts';
import { type ObjectStore, type StoredObjects } from './ports.ts';

/** The identity of an artifact: what it is made from, never how fast or where. */
export function artifactId(of: { stage: string; stageVersion: number; options: JsonObject; inputs: string[] }): string {
  return sha256(
    canonicalJson({ stage: of.stage, stageVersion: of.stageVersion, options: of.options, inputs: of.inputs }),
  );
}

export const artifactsPrefix = (projectId: string): string => `projects/${projectId}/artifacts/`;
export const blobsPrefix = (projectId: string): string => `projects/${projectId}/blobs/`;
export const artifactKey = (projectId: string, id: string): string => `${artifactsPrefix(projectId)}${id}.json`;
export const blobKey = (projectId: string, digest: string): string => `${blobsPrefix(projectId)}${digest}`;

export function storedObjects(store: Pick<ObjectStore, 'head'>): StoredObjects {
  return { manifestKey: artifactKey, blobKey, bytesOf: async (key) => (await store.head(key))?.bytes ?? null };
}

/**
 * Writes a blob under its digest. Whoever comes second checks the bytes that are there and leaves them, unless they were
 * damaged: then they are written anew, which changes nothing that was ever right.
 */
export async function putBlob(
  store: ObjectStore,
  projectId: string,
  body: Uint8Array | AsyncIterable<Uint8Array>,
  mediaType: string,
): Promise<BlobReference> {
  const name = (digest: string) => blobKey(projectId, digest);
  const { sha256: digest, bytes } = await store.put(name, body, { ifAbsent: 'orDamaged', mediaType });
  return { sha256: digest, bytes, mediaType };
}

/** Reads a blob and checks its digest. */
export function getBlob(store: ObjectStore, projectId: string, blob: BlobReference): Promise<Uint8Array> {
  return readAnew(['CORRUPT_ARTIFACT'], async () => {
    const bytes = await store.get(blobKey(projectId, blob.sha256));
    const digest = sha256(bytes);
    if (digest === blob.sha256) return bytes;
    throw new PushforwardError(
      'CORRUPT_ARTIFACT',
      `expected blob ${blob.sha256}, got bytes with digest ${digest}: delete the object and launch the run again`,
      { expected: blob.sha256, received: digest },
    );
  });
}

/** @throws CORRUPT_ARTIFACT for what is no manifest, or that of another artifact */
export function readManifest(store: ObjectStore, projectId: string, id: string): Promise<ArtifactManifest> {
  return readAnew(['CORRUPT_ARTIFACT'], async () => parseManifest(await store.get(artifactKey(projectId, id)), id));
}

function parseManifest(bytes: Uint8Array, id: string): ArtifactManifest {
  const manifest = jsonIn(bytes) as Partial<ArtifactManifest> | null;
  if (manifest?.formatVersion === 1 && manifest.id === id) return manifest as ArtifactManifest;
  const got = manifest ? `${manifest.id} of format ${manifest.formatVersion}` : 'bytes that are no JSON';
  throw new PushforwardError(
    'CORRUPT_ARTIFACT',
    `expected manifest ${id} of format 1, got ${got}: delete the object and launch the run again`,
  );
}

function jsonIn(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
}

const REMEMBERED = 100_000;
const PUBLISH_TRIES = 3;

/** Publication as ARCHITECTURE.md describes it, over any object store. */
export function createPublications(store: ObjectStore): Publications {
  /** Key to the etag that was there when its digest was right: what did not change since is not read again. */
  const right = new Map<string, string>();

  async function manifestOf(projectId: string, id: string): Promise<ArtifactManifest | null> {
    return (await store.head(artifactKey(projectId, id))) ? await readManifest(store, projectId, id) : null;
  }

  /** The first blob that has a flaw: is not there, has another size or, where every byte is to be looked at, other bytes. */
  async function firstFlaw(projectId: string, { blobs }: ArtifactManifest, look: 'size' | 'bytes') {
    for (const [name, blob] of Object.entries(blobs)) {
      const flaw = await flawOf(projectId, blob, look);
      if (flaw !== null) return { name, flaw };
    }
    return null;
  }

  async function flawOf(projectId: string, blob: BlobReference, look: 'size' | 'bytes'): Promise<string | null> {
    const key = blobKey(projectId, blob.sha256);
    const head = await store.head(key);
    if (!head) return 'is not in the store any more';
    if (head.bytes !== blob.bytes) return `has ${head.bytes} bytes in the store, not ${blob.bytes}`;
    if (look === 'size' || right.get(key) === head.etag) return null;
    if (!(await hasBytes(key, blob))) return 'has other bytes in the store than were published';
    if (right.size >= REMEMBERED) right.clear();
    right.set(key, head.etag);
    return null;
  }

  /** The manifest that was there before; null where ours is the first. A store may refuse it for one that is gone meanwhile. */
  async function firstAt(key: string, bytes: Uint8Array, read: () => Promise<ArtifactManifest>) {
    for (let tries = 1; ; tries++) {
      const { written } = await store.put(key, bytes, { ifAbsent: true, mediaType: 'application/json' });
      if (written) return null;
      try {
        return await read();
      } catch (error) {
        const gone = error instanceof PushforwardError && error.code === 'NOT_FOUND';
        if (!gone || tries === PUBLISH_TRIES) throw error;
      }
    }
  }

  async function hasBytes(key: string, blob: BlobReference): Promise<boolean> {
    const right = readAnew(['CORRUPT_ARTIFACT'], async () => {
      const digest = createHash('sha256');
      for await (const piece of store.stream(key)) digest.update(piece);
      if (digest.digest('hex') === blob.sha256) return true;
      throw new PushforwardError('CORRUPT_ARTIFACT', `expected ${key} with its digest, got other bytes`);
    });
    return right.catch((error: unknown) => {
      if (error instanceof PushforwardError && error.code === 'CORRUPT_ARTIFACT') return false;
      throw error;
    });
  }

  return {
    async find(projectId, id) {
      const manifest = await manifestOf(projectId, id);
      return manifest && (await firstFlaw(projectId, manifest, 'size')) === null ? manifest : null;
    },

    async verify(projectId, id) {
      const manifest = await manifestOf(projectId, id);
      if (!manifest) return { manifest, flaw: null };
      const found = await firstFlaw(projectId, manifest, 'bytes');
      return found ? { manifest: null, flaw: `its ${found.name} ${found.flaw}` } : { manifest };
    },

    async publish(projectId, manifest) {
      const bytes = new TextEncoder().encode(canonicalJson(manifest));
      const key = artifactKey(projectId, manifest.id);
      const winner = await firstAt(key, bytes, () => readManifest(store, projectId, manifest.id));
      if (winner === null) return manifest;
      const missing = await firstFlaw(projectId, winner, 'size');
      if (missing === null) return winner;
      // The same work gave other bytes here than where it was published first, and those are lost.
      throw new PushforwardError(
        'CORRUPT_ARTIFACT',
        `expected blob ${missing.name} of artifact ${winner.id} in the store, got none or one of another size: ` +
          `delete the object ${key} and launch the run again`,
        { artifactId: winner.id, blob: winner.blobs[missing.name]!.sha256 },
      );
    },
  };
}
