import { type LocateObjects } from '../../pipeline/ports.ts';
import { localFiles } from './local-files.ts';
import { createObjectFiles } from './object-files.ts';
import { type SourceFiles } from './source-file.ts';

/** The files that a path is one of: those of this machine, or objects of a store. */
export function filesAt(path: string, locate: LocateObjects = () => null): SourceFiles {
  return locate(path) ? createObjectFiles(locate) : localFiles;
}
