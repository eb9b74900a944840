/** How evenly the images of a version are spread over its classes. A type, so that it is a JsonObject. */
export type ClassBalance = {
  classes: number;
  /** Of those that are equal, the first in label order. */
  smallest: { name: string; images: number };
  largest: { name: string; images: number };
  /** Images of the largest class over those of the smallest: 1 where all are equal (Buda et al. 2018 call it rho). */
  imbalanceRatio: number;
  /**
   * exp of the Shannon entropy of the classes' shares, in classes (Hill's number of order 1): as many as there are where
   * all are equal, near 1 where one has nearly everything. Unlike the ratio it does not hang on one odd class.
   */
  effectiveClasses: number;
};

/** @param classes at least one, each of at least one image */
export function classBalance(classes: readonly { name: string; images: number }[]): ClassBalance {
  const total = classes.reduce((sum, { images }) => sum + images, 0);
  const [smallest, largest] = [-1, 1].map((sign) =>
    classes.reduce((best, one) => (sign * one.images > sign * best.images ? one : best)),
  ) as [ClassBalance['smallest'], ClassBalance['largest']];
  const entropy = classes.reduce((sum, { images }) => sum - (images / total) * Math.log(images / total), 0);
  return {
    classes: classes.length,
    smallest: { name: smallest.name, images: smallest.images },
    largest: { name: largest.name, images: largest.images },
    imbalanceRatio: largest.images / smallest.images,
    effectiveClasses: Math.exp(entropy),
  };
}
