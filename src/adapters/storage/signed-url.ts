export interface SignedObject {
  key: string;
  filename: string | null;
  mediaType: string | null;
}

/**
 * Checks a URL of `{publicUrl}/objects/<key>?expires=..&signature=..` and says what it grants.
 * @param url path and query as received, for example `request.originalUrl`
 * @throws FORBIDDEN if it expired, was changed, or was signed with another secret
 */
export function verifySignedUrl(_url: string, _signingSecret: string, _now: Date): SignedObject {
  throw new Error('being written');
}
