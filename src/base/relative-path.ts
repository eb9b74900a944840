/**
 * The first segment of a path with `/` that names nothing: an empty one, `.` or `..`. Null where each is a name, so that the path
 * leads to something below where it begins.
 */
export function namelessSegment(path: string): '' | '.' | '..' | null {
  for (const segment of path.split('/')) if (segment === '' || segment === '.' || segment === '..') return segment;
  return null;
}
