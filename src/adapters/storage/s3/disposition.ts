/** A browser shows these. A page of HTML it saves: S3 sends no policy that would keep its scripts from the other objects. */
const SHOWN = ['image/png', 'image/jpeg', 'application/json', 'text/plain'];

/** The header of RFC 6266, with a name for old browsers and one in UTF-8. */
export function contentDisposition(filename: string | undefined, mediaType: string | undefined): string {
  const kind = SHOWN.includes(mediaType ?? '') ? 'inline' : 'attachment';
  if (filename === undefined) return kind;
  const ascii = filename.replace(/[^\x20-\x7e]|["\\%]/g, '_');
  const encoded = encodeURIComponent(filename.toWellFormed()).replace(
    /['()*]/g,
    (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `${kind}; filename="${ascii}"; filename*=UTF-8''${encoded}`;
}
