import { invalid } from '../../base/errors.ts';
import { parseS3Url } from '../../base/s3-url.ts';
import { type LocateObjects, type ObjectPlace, type ObjectReader } from '../../pipeline/ports.ts';
import { type S3Service } from './s3/settings.ts';
import { createS3Source } from './s3/source.ts';

/** Finds what a URI names for whoever imports it. */
type Scheme = (uri: string, projectId: string) => ObjectPlace;

/** Where sources lie that are no paths of this machine, by the scheme of their URIs; asked anew for each project. */
export function createSourceLocator({ s3 }: { s3: S3Service }): (projectId: string) => LocateObjects {
  const buckets = new Map<string, ObjectReader>();
  const bucketOf = (name: string): ObjectReader => {
    const known = buckets.get(name) ?? createS3Source(s3, name);
    buckets.set(name, known);
    return known;
  };

  const schemes: Record<string, Scheme> = {
    s3(uri) {
      const found = parseS3Url(uri);
      if (!found) throw invalid(`expected s3://bucket/prefix, got ${uri}: correct the path`, { path: uri });
      return { store: bucketOf(found.bucket), key: found.key };
    },
  };

  return (projectId) => (uri) => {
    const scheme = /^([a-z][a-z0-9+.-]*):/.exec(uri)?.[1];
    if (scheme === undefined) return null;
    const find = schemes[scheme];
    if (find) return find(uri, projectId);
    throw invalid(`expected a path or ${Object.keys(schemes).join(':// or ')}://, got ${uri}: correct the path`);
  };
}
