/** What the first bytes of a stored image say it is; only these are decoded, whatever else the library could read. */
export type ImageFormat = 'jpeg' | 'png' | 'webp' | 'gif' | 'tiff' | 'avif';

/** @returns null if it is none of the formats that we decode */
export function imageFormat(bytes: Uint8Array): ImageFormat | null {
  if (bytes.length < 12) return null;
  const ascii = (from: number, to: number) => String.fromCharCode(...bytes.subarray(from, to));
  if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) return 'jpeg';
  if (bytes[0] === 0x89 && ascii(1, 8) === 'PNG\r\n\x1a\n') return 'png';
  if (ascii(0, 4) === 'RIFF' && ascii(8, 12) === 'WEBP') return 'webp';
  if (ascii(0, 6) === 'GIF87a' || ascii(0, 6) === 'GIF89a') return 'gif';
  if (ascii(0, 4) === 'II*\0' || ascii(0, 4) === 'MM\0*') return 'tiff';
  if (ascii(4, 12) === 'ftypavif' || ascii(4, 12) === 'ftypavis') return 'avif';
  return null;
}

const IMAGE_EXTENSIONS = new Set(['jpg', 'jpeg', 'jpe', 'jfif', 'png', 'webp', 'gif', 'tif', 'tiff', 'avif']);
const COMPANION_EXTENSIONS = new Set(['txt', 'json', 'jsonl', 'csv', 'tsv', 'md', 'cls', 'xml', 'yaml', 'yml', 'html']);
const COMPANION_NAMES = new Set(['license', 'readme', 'thumbs.db', 'desktop.ini']);

/** Some segment begins with a dot, and is not only that. */
const HIDDEN = /(?:^|\/)\.[^/]/;

/** What a file in a folder or an archive is by its name. `companion` files lie beside images and are passed over in silence. */
export function kindOfName(path: string): 'image' | 'companion' | 'other' {
  if (HIDDEN.test(path)) return 'companion';
  const name = path.slice(path.lastIndexOf('/') + 1).toLowerCase();
  const extension = name.slice(name.lastIndexOf('.') + 1);
  if (name.includes('.') && IMAGE_EXTENSIONS.has(extension)) return 'image';
  return COMPANION_EXTENSIONS.has(extension) || COMPANION_NAMES.has(name) ? 'companion' : 'other';
}
