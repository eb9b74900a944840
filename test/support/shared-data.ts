import { join } from 'node:path';
import { ROOT } from './service-process.ts';

/** CIFAR-10 in class folders, beside the project and not part of it. */
export const CIFAR10 = join(ROOT, '../shared/data/cifar10/train.tar.gz');
