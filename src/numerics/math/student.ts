/**
 * The quantile of Student's t distribution with a whole number of degrees of freedom: where its distribution function is p.
 *
 * Abramowitz and Stegun, "Handbook of mathematical functions", 26.7.3 and 26.7.4, have the probability of |T| < t as a finite sum in
 * the angle atan(t / sqrt(degrees)); bisection turns it around to the last bits of the angle.
 *
 * @param p in (0, 1)
 * @param degrees >= 1
 */
export function studentQuantile(p: number, degrees: number): number {
  const wanted = Math.abs(2 * p - 1);
  let low = 0;
  let high = Math.PI / 2;
  for (let turn = 0; turn < 60; turn++) {
    const middle = (low + high) / 2;
    if (probabilityWithin(middle, degrees) < wanted) low = middle;
    else high = middle;
  }
  return Math.sign(p - 0.5) * Math.sqrt(degrees) * Math.tan((low + high) / 2);
}

function probabilityWithin(angle: number, degrees: number): number {
  const cosine = Math.cos(angle);
  const isOdd = degrees % 2 === 1;
  let term = isOdd ? cosine : 1;
  let series = degrees === 1 ? 0 : term;
  for (let j = isOdd ? 3 : 2; j < degrees; j += 2) {
    term *= ((j - 1) / j) * cosine * cosine;
    series += term;
  }
  const sum = Math.sin(angle) * series;
  return isOdd ? (2 / Math.PI) * (angle + sum) : sum;
}
