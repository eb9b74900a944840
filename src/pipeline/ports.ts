/** What the stages need from outside: a store of objects, a runtime for models, images in and out, tables. */
import { type Graph, type StateTensor } from '../numerics/graph/graph.ts';
import { type MatrixProduct } from '../numerics/math/product.ts';

/** Keys use `/`; a key never begins with one and has no `.` or `..` segment. */
export interface ObjectStore {
  /** Writes an object whole or not at all. A body that yields pieces may use their memory again for the next ones. */
  put(name: ObjectName, body: Uint8Array | AsyncIterable<Uint8Array>, options?: PutOptions): Promise<PutResult>;
  /** The bytes of an object or of a range of it; NOT_FOUND if it is not there. */
  get(key: string, range?: ByteRange, options?: GetOptions): Promise<Uint8Array>;
  stream(key: string, range?: ByteRange, options?: GetOptions): AsyncIterable<Uint8Array>;
  head(key: string): Promise<ObjectHead | null>;
  /** Keys with this prefix in ascending order. */
  list(prefix: string): AsyncIterable<ObjectHead>;
  /**
   * What lies right below a prefix that is empty or ends in `/`, in ascending order: objects, and folders, whose keys end
   * in `/` and stand for all keys that begin with them.
   */
  listFolder(prefix: string): AsyncIterable<{ key: string }>;
  delete(key: string): Promise<void>;
  /** A URL that anyone holding it can GET until it expires. */
  signedUrl(key: string, options: { expiresSeconds: number; filename?: string; mediaType?: string }): Promise<string>;
  readonly incoming: IncomingObjects;
}

/** What the keys of a project's orders of pods begin with. */
export const ordersPrefix = (projectId: string): string => `projects/${projectId}/orders/`;

/** Objects that others send in parts, by requests signed for them. Nothing of one is an object before `complete`. */
export interface IncomingObjects {
  /** Answers with the name under which the store gathers the parts of this object. */
  begin(key: string): Promise<string>;
  /**
   * What anyone holding it can send until it expires, with these bytes alone as its body: a body of another size is refused,
   * and one of another digest is refused then or at `complete`. A part may be sent again.
   */
  signPart(key: string, gathering: string, part: IncomingPart, expiresSeconds: number): Promise<SignedRequest>;
  /** Makes the object of exactly these parts, which are all that it has. The same again answers the same. */
  complete(key: string, gathering: string, parts: readonly IncomingPart[]): Promise<Completion>;
  /** Frees the parts of every object below `folder` that is not complete. `folder` is the beginning of keys and ends in `/`. */
  abort(folder: string): Promise<void>;
}

export interface IncomingPart {
  /** From 1. */
  number: number;
  bytes: number;
  /** Lower-case hex. */
  sha256: string;
}

export interface SignedRequest {
  method: 'PUT';
  url: string;
  /** To be sent with it, beside what every client sends. */
  headers: Record<string, string>;
}

export type Completion =
  | { state: 'complete' }
  /** Numbers of parts that never came, or came otherwise. */
  | { state: 'incomplete'; missing: number[] }
  /** The store has nothing under this name any more: begin anew. */
  | { state: 'gone' };

/** The key of an object, or how it follows from the digest of a body: lower-case hex, known once the body has ended. */
export type ObjectName = string | ((sha256: string) => string);

export interface ByteRange {
  offset: number;
  bytes: number;
}

export interface GetOptions {
  /** Only the object that has this etag; SOURCE_CHANGED if another is there, and nothing of it is read. */
  etag?: string | undefined;
}

export interface PutOptions {
  /**
   * An existing object stays as it is, and the answer is `written: false`. With `orDamaged` it is read, and written anew
   * unless it has the digest of the body: for objects that are named by their digest.
   */
  ifAbsent?: boolean | 'orDamaged';
  mediaType?: string;
}

export interface PutResult {
  written: boolean;
  bytes: number;
  sha256: string;
}

export interface ObjectHead {
  key: string;
  bytes: number;
  etag: string;
  /** When these bytes were written, by the store's clock. */
  modifiedAt: Date;
}

/** Where the objects of an artifact lie, and whether they do. For whoever keeps rows of them. Implemented by `pipeline`. */
export interface StoredObjects {
  manifestKey(projectId: string, artifactId: string): string;
  blobKey(projectId: string, sha256: string): string;
  /** Bytes of the object, or null where there is none. */
  bytesOf(key: string): Promise<number | null>;
}

/** What is asked of a store whose objects are read in place and never written. */
export type ObjectReader = Pick<ObjectStore, 'get' | 'stream' | 'head' | 'list' | 'listFolder'>;

/** An object, or the folder that its key with a `/` behind it is; an empty key is the folder of all there is. */
export interface ObjectPlace {
  store: ObjectReader;
  key: string;
  /** Nothing there is ever overwritten: it is the same under any etag, and has another where it was restored from a backup. */
  immutable?: true;
}

/** Where a source lies that is named by a URI (`s3://bucket/key`). Null for a path of this machine. */
export type LocateObjects = (uri: string) => ObjectPlace | null;

/** A named tensor, row-major. Element types are those of safetensors and ONNX that we use. */
export type TensorData =
  | { type: 'float32'; data: Float32Array; shape: number[] }
  | { type: 'float64'; data: Float64Array; shape: number[] }
  | { type: 'int64'; data: BigInt64Array; shape: number[] }
  | { type: 'int32'; data: Int32Array; shape: number[] }
  | { type: 'uint8'; data: Uint8Array; shape: number[] };

/** `null` is a dimension that is not fixed (the batch). */
export interface TensorSignature {
  name: string;
  type: string;
  shape: (number | null)[];
}

export interface Model {
  readonly inputs: readonly TensorSignature[];
  readonly outputs: readonly TensorSignature[];
  run(feeds: Record<string, TensorData>): Promise<Record<string, TensorData>>;
}

export type ProviderName = 'auto' | 'cpu' | 'webgpu' | 'cuda';

/** A graph that runs again and again on what it left, such as a step of training. */
export interface Program {
  /** @param state by name, copied @throws INVALID_INPUT naming a tensor that is missing or of another length */
  begin(state: Readonly<Record<string, Float32Array>>): ProgramRun;
}

export interface ProgramRun {
  /**
   * Runs the graph once, and keeps the state that it gives.
   * @param feeds the inputs that are no state, row-major
   * @returns the outputs that are no state; the next step overwrites them
   */
  step(feeds: Readonly<Record<string, Float32Array>>): Promise<Readonly<Record<string, Float32Array>>>;
  /** A copy of the state as it is now. */
  state(): Record<string, Float32Array>;
}

/** Loads models, one session per model and process. Implemented by adapters/runtime. */
export interface ModelRuntime {
  /** What it chose and where it runs; goes into the manifests. */
  describe(): { provider: string; runtime: string; device: string; threads: number };
  /** `key` names the model in this process (its digest): the same key gives the same session. `read` is called once. */
  load(key: string, read: () => Promise<Uint8Array>): Promise<Model>;
  /** `key` names the graph in this process: the same key gives the same session, however many runs it carries out. */
  compile(key: string, graph: Graph, state: readonly StateTensor[]): Promise<Program>;
  /** Matrix product on this runtime, see numerics/math/product.ts. */
  readonly product: MatrixProduct;
  close(): Promise<void>;
}

/** The files of a prior bundle, wherever they lie: a folder, or a stored artifact. Paths use `/` and are relative. */
export interface BundleFiles {
  list(): Promise<{ path: string; bytes: number }[]>;
  /** The whole file; PRIOR_INVALID if it is not there or cannot be read. */
  read(path: string): Promise<Uint8Array>;
}

/** Where one stored image lies: a file of a folder, a byte range of an archive, a raw file or a pack, or a row of a Parquet file. */
export interface ImageReference {
  /** Index into the sources of the dataset version. */
  source: number;
  /** What a person calls it: the path inside the archive or folder, or `file#row`. */
  path: string;
  /** Length of the stored image. */
  bytes: number;
  /** Where it begins within a tar, a raw file or a pack. */
  offset?: number;
  /** Its row in a Parquet file. */
  row?: number;
}

/**
 * A file or folder that images lie in, of this machine or of a store of others, or a pack. `tar`, `parquet` and `raw` are
 * pinned to the state they had at import; the files of a `folder` and the content of a `pack` by the digest of each image.
 */
export interface ImageSource {
  /**
   * `file` is the user's, read where it lies. `object` is a pack: images end to end in the project's store, because their
   * source cannot be read at random.
   */
  kind: 'file' | 'object';
  /** Of a file its absolute path, or a URI that `LocateObjects` knows; of a pack its key in the project's store. */
  uri: string;
  format: 'folder' | 'tar' | 'parquet' | 'raw' | 'pack';
  /** Every image of the source is such pixels, nothing around them; absent: stored images of any kind. */
  pixels?: PixelLayout;
  /** Of the file or pack; of a folder, the sum over its images. */
  bytes: number;
  /** `size-mtimeNs` of a file of this machine, the ETag of an object, `sha256:...` of a pack, empty for a folder. */
  etag: string;
}

/** How an image that was never encoded lies in its bytes, 8 bits a sample. A type, so that it is a JsonObject. */
export type PixelLayout = {
  width: number;
  height: number;
  channels: 1 | 3;
  /** `planar` has one channel after the other. */
  order: 'interleaved' | 'planar';
};

export interface ScannedImage {
  className: string;
  /** Of the stored bytes, which are not decoded. */
  sha256: string;
  reference: ImageReference;
}

export interface ScanRequest {
  /** Absolute path or URI of a folder, an archive or a table. */
  path: string;
  /** Only these classes; null for all. */
  classes: readonly string[] | null;
  /** Only this split; null or absent: the only one there is. */
  split?: string | null;
  /** Stores images that cannot be read in place, at most 64 MiB of them, piece by piece as `ObjectStore.put` takes them. */
  writePack(pieces: AsyncIterable<Uint8Array>): Promise<ImageSource>;
  signal?: AbortSignal;
}

export interface ScanSummary {
  format: 'folder' | 'tar' | 'tar.gz' | 'parquet' | 'webdataset' | 'cifar' | 'idx';
  /** What `reference.source` counts. */
  sources: ImageSource[];
  /** Class folders, or names of a ClassLabel, without a single image. */
  emptyClasses: string[];
  /** The split that the images are of; null where no name tells one. */
  split: string | null;
  /** Every split that the source has by its names, in order of them. */
  splits: string[];
  /** What was passed over although it is no companion file (text, JSON, hidden): other formats, links in archives. */
  ignored: { count: number; examples: string[] };
}

export interface SourceScan {
  /**
   * In the order of the source, once, in the batches that they are found in: to wait for each one costs as much as to hash
   * it. Memory does not grow with their number.
   */
  images: AsyncIterable<readonly ScannedImage[]>;
  /** Complete once `images` has ended. */
  summary(): ScanSummary;
}

/** Reads the images of a path or URI where they lie. Implemented by adapters/images. */
export interface SourceScanner {
  /** SOURCE_UNREADABLE or UNSAFE_PATH name file and position. The format is told from the content. */
  scan(request: ScanRequest): Promise<SourceScan>;
}

/** One line of a dataset version's entries blob: class by class, chunk by chunk, within a chunk by sha256. */
export interface DatasetEntry {
  sha256: string;
  /** Index into the version's classes. */
  label: number;
  reference: ImageReference;
}

/** An image as it is stored: encoded, or with `pixels` the pixels themselves. */
export interface StoredImage {
  entry: DatasetEntry;
  bytes: Uint8Array;
  pixels?: PixelLayout;
}

/** Reads stored image bytes. A source that is not what it was at import is SOURCE_CHANGED. Implemented by adapters/images. */
export interface ImageReader {
  /** Yields the entries' bytes in the order asked for. Reads ahead, but never more than a few megabytes. */
  read(
    projectId: string,
    sources: readonly ImageSource[],
    entries: readonly DatasetEntry[],
    signal?: AbortSignal,
  ): AsyncIterable<StoredImage>;
}

/** Pixels, row-major, height x width x channels, 8 bits. */
export interface Pixels {
  data: Uint8Array;
  width: number;
  height: number;
  channels: 1 | 3 | 4;
}

export interface DecodeTarget {
  width: number;
  height: number;
  channels: 1 | 3;
  /** Refused as IMAGE_TOO_LARGE from the header, before any pixel is decoded. */
  maxPixels: number;
}

/** Implemented by adapters/images. */
export interface ImageCodec {
  /** The library and its version; goes into the manifests. */
  describe(): string;
  /**
   * Decodes to exactly the target: grayscale becomes RGB, alpha is laid on white, CMYK is converted, EXIF orientation
   * is applied; another size is resized to cover and cropped at the centre. CORRUPT_IMAGE if it cannot.
   */
  decode(bytes: Uint8Array, target: DecodeTarget): Promise<Pixels>;
  /** Brings pixels that were never encoded to the target as `decode` does; those that are there stay as they are. */
  fit(pixels: Pixels, target: DecodeTarget): Promise<Pixels>;
  /** Lossless, and the same bytes for the same pixels. */
  encodePng(pixels: Pixels): Promise<Uint8Array>;
  /** Rasterises an SVG document; `width` in pixels. */
  renderSvg(svg: string, width: number): Promise<Uint8Array>;
}

/** A row of the synthetic dataset as it leaves the system. */
export interface SyntheticRow {
  imagePng: Uint8Array;
  path: string;
  label: number;
  weight: number;
  softLabel: number[] | null;
  /** Index of the point within its class. */
  point: number;
  /** Samples in the point's cell. */
  cellCount: number;
}

export interface SyntheticTable {
  classes: readonly string[];
  rows: readonly SyntheticRow[];
  /** Extra key-value metadata of the file. */
  metadata: Record<string, string>;
}

/** A file of an archive. */
export interface ArchiveFile {
  /** Relative, with `/`. */
  path: string;
  bytes: Uint8Array;
}

/** Implemented by adapters/images. */
export interface ArchiveWriter {
  /** A tar of these files in this order, in pieces as they are asked for; the same files give the same bytes. */
  tar(files: readonly ArchiveFile[]): AsyncIterable<Uint8Array>;
}

/** Implemented by adapters/images. */
export interface TableWriter {
  /** Hugging Face Parquet: Image, ClassLabel, weight, soft_label, provenance; features in the schema metadata. */
  writeSyntheticParquet(table: SyntheticTable): Promise<Uint8Array>;
}

/** Text as outlines of a font that ships with us: the same picture on every machine. Implemented by adapters/images. */
export interface TextOutlines {
  /**
   * SVG path data of one line of text, its baseline at (x, y); `size` in pixels per em.
   * A text wider than `maxWidth` pixels ends in an ellipsis.
   */
  path(
    text: string,
    at: { x: number; y: number; size: number; anchor?: 'start' | 'middle' | 'end'; maxWidth?: number; bold?: boolean },
  ): string;
}
