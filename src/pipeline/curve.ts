import { type ArtifactManifest } from '../engine/ports.ts';

/** What so many points leave of a class: a step of the distortion curve that a survey publishes. A type, so that it is a JsonObject. */
export type CurvePoint = {
  /** Points. */
  k: number;
  /** Of the training latents, the best of the survey's searches. */
  distortion: number;
  /** Null where nothing was held out. */
  heldoutDistortion: number | null;
  /** Of the training latents to the weighted points: the root of `distortion`. */
  w2: number;
  /** Of the distortion over the searches, a fraction of the best. */
  spread: number;
};

/** @param manifest of kind `distortionCurve` */
export function curveOf(manifest: Pick<ArtifactManifest, 'content'>): CurvePoint[] {
  return manifest.content['curve'] as CurvePoint[];
}
