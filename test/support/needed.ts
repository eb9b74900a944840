/**
 * For `describe.skipIf`: whether tests are skipped for something that this machine lacks, which is said once per file.
 * @param missing what it lacks, as in "Go, to build the server"; null: nothing
 * @throws in CI, where tests that were skipped would look like tests that passed
 */
export function skippedWithout(missing: string | null): boolean {
  if (missing === null) return false;
  if (process.env['CI'] === 'true')
    throw new Error(`expected all that the tests need, got a machine without ${missing}: install it`);
  process.stderr.write(`Tests are skipped that need ${missing}.\n`);
  return true;
}
