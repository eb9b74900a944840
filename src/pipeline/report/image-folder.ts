import { type ArchiveFile, type SyntheticRow } from '../ports.ts';

/** A folder of class folders with `metadata.jsonl`: what torchvision's ImageFolder and `datasets`' imagefolder read. */
export interface ImageFolder {
  files: ArchiveFile[];
  /** Classes whose folder has another name than they have. */
  renamed: { className: string; folder: string }[];
}

/** Labels are repeated in the metadata, since not every name of a class can be the name of a folder everywhere. */
export function imageFolder(classes: readonly string[], rows: readonly SyntheticRow[]): ImageFolder {
  const folders = folderNames(classes);
  const pathOf = ({ label, point }: SyntheticRow) => `${folders[label]!}/${String(point).padStart(5, '0')}.png`;
  const metadata = rows.map((row) =>
    JSON.stringify({
      file_name: pathOf(row),
      label: classes[row.label]!,
      weight: Math.fround(row.weight),
      soft_label: row.softLabel,
      point: row.point,
      cell_count: row.cellCount,
    }),
  );
  const files: ArchiveFile[] = [
    { path: 'metadata.jsonl', bytes: new TextEncoder().encode(metadata.map((line) => `${line}\n`).join('')) },
    ...rows.map((row) => ({ path: pathOf(row), bytes: row.imagePng })),
  ];
  const renamed = classes.flatMap((className, i) =>
    folders[i] === className ? [] : [{ className, folder: folders[i]! }],
  );
  return { files, renamed };
}

const MAX_NAME_BYTES = 120;

/**
 * A folder for each class that is one on every file system: without separators and reserved characters, and different
 * from the others also where upper and lower case are the same.
 */
export function folderNames(classes: readonly string[]): string[] {
  const taken = new Set<string>();
  // Those that can keep their names do, whatever comes before them.
  const keeps = classes.map((name) => {
    const free = name === safe(name) && !taken.has(fold(name));
    if (free) taken.add(fold(name));
    return free;
  });
  return classes.map((name, i) => {
    if (keeps[i]) return name;
    let folder = safe(name);
    for (let n = 2; taken.has(fold(folder)); n++) folder = `${safe(name)}~${n}`;
    taken.add(fold(folder));
    return folder;
  });
}

const fold = (name: string): string => name.normalize('NFC').toLowerCase();

function safe(name: string): string {
  let folder = name.replace(/[\u0000-\u001f\u007f/\\:*?"<>|]/g, '_').replace(/^\.|[. ]$/g, '_');
  if (/^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i.test(folder)) folder = `_${folder}`;
  while (new TextEncoder().encode(folder).length > MAX_NAME_BYTES) folder = [...folder].slice(0, -1).join('');
  return folder;
}
