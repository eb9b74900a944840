export { createOpenLineageHttp } from './openlineage.ts';
export { createOpenLineageFile } from './openlineage-file.ts';
