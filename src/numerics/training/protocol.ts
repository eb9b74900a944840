import { type Schedule } from './schedule.ts';

/** How a student is trained: all of it but the student, the data and the seed. Figures of two protocols never share a column. */
export interface Protocol {
  readonly name: 'hard' | 'rded' | 'd4m';
  /** Changes whenever anything else here does. */
  readonly version: number;
  readonly epochs: number;
  readonly batch: number;
  readonly optimizer: 'sgd' | 'adamw';
  readonly rate: number;
  readonly schedule: Schedule;
  readonly weightDecay: number;
  /** Which parameters decay: all, or weights alone, without biases and those of normalizations. */
  readonly decays: 'all' | 'weights';
  readonly augmentations: readonly Augmentation[];
  /** Pairs of a batch that become one image, with its labels and weights in proportion. */
  readonly mixing: { readonly kind: 'cutmix' | 'mixup'; readonly concentration: number } | null;
  /** Hard labels, or a teacher's logits of the very images that the student sees, at a temperature. */
  readonly labels: { readonly kind: 'hard' } | { readonly kind: 'teacher'; readonly temperature: number };
}

export type Augmentation = 'crop' | 'flip' | 'dsa';

/** The named ones, of what they depend on. */
export const PROTOCOLS = {
  /** Zhao, Mopuri and Bilen, arXiv 2006.05929 and, with DSA, 2102.08259. */
  hard: (options: { dsa: boolean }): Protocol => ({
    ...{ name: 'hard', version: 1, epochs: options.dsa ? 1000 : 300, batch: 256 },
    ...{
      optimizer: 'sgd',
      rate: 0.01,
      schedule: { kind: 'step', at: 0.5, factor: 0.1 },
      weightDecay: 5e-4,
      decays: 'all',
    },
    ...{ augmentations: options.dsa ? ['dsa'] : [], mixing: null, labels: { kind: 'hard' } },
  }),
  /** Sun, Shi, Yu and Lin, "On the diversity and realism of distilled dataset", arXiv 2312.03526: the cosine ends at half of its way. */
  rded: ({ imagesPerClass }: { imagesPerClass: number }): Protocol => ({
    ...{ name: 'rded', version: 1, epochs: 300, batch: rdedBatch(imagesPerClass) },
    ...{
      optimizer: 'adamw',
      rate: 1e-3,
      schedule: { kind: 'cosine', stretch: 2 },
      weightDecay: 0.01,
      decays: 'weights',
    },
    augmentations: [],
    ...{ mixing: { kind: 'cutmix', concentration: 1 }, labels: { kind: 'teacher', temperature: 20 } },
  }),
  /** Su et al., "D4M", CVPR 2024, as trained on CIFAR. */
  d4m: (): Protocol => ({
    ...{ name: 'd4m', version: 1, epochs: 400, batch: 128 },
    ...{
      optimizer: 'adamw',
      rate: 1e-3,
      schedule: { kind: 'cosine', stretch: 1 },
      weightDecay: 0.01,
      decays: 'weights',
    },
    augmentations: ['crop', 'flip'],
    ...{ mixing: { kind: 'mixup', concentration: 0.8 }, labels: { kind: 'teacher', temperature: 30 } },
  }),
} as const;

const rdedBatch = (imagesPerClass: number): number => (imagesPerClass < 10 ? 10 : imagesPerClass < 50 ? 50 : 100);
