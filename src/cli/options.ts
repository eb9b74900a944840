import { type Command, InvalidArgumentError } from 'commander';
import { invalid } from '../base/errors.ts';
import { createApiClient, type ApiClient } from './client.ts';

/** What commands that ask the service have in common. */
export function withUrl(command: Command): Command {
  return command.option('--url <url>', 'use the service at this address instead of one of our own');
}

export function onService(
  host: { withService(work: (url: string) => Promise<void>): Promise<void> },
  url: string | undefined,
  work: (client: ApiClient) => Promise<void>,
): Promise<void> {
  if (url === undefined) return host.withService((own) => work(createApiClient(own)));
  if (!URL.canParse(url))
    throw invalid(`expected --url to be a URL such as http://127.0.0.1:4000, got ${url}: correct it`);
  return work(createApiClient(url));
}

/** @throws InvalidArgumentError */
export function atLeastOne(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new InvalidArgumentError(`expected a whole number of 1 or more, got ${text}`);
  return value;
}

/** @throws InvalidArgumentError */
export function names(text: string): string[] {
  const found = text.split(',');
  if (found.includes('')) throw new InvalidArgumentError(`expected names separated by commas, got an empty one`);
  return found;
}

export const someOf =
  (choices: readonly string[]) =>
  /** @throws InvalidArgumentError */
  (text: string): string[] => {
    const found = names(text);
    const unknown = found.find((name) => !choices.includes(name));
    if (unknown === undefined) return found;
    throw new InvalidArgumentError(`expected some of ${choices.join(', ')}, got ${unknown}`);
  };

/** As `names`, of an option that may be repeated. @throws InvalidArgumentError */
export function moreNames(text: string, before: readonly string[] = []): string[] {
  return [...before, ...names(text)];
}

/** @throws InvalidArgumentError */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError(`expected a whole number, got ${text}`);
  return value;
}

/** Numbers that the recipe takes, so that a wrong one is told before anything is sent. */
export const between =
  (low: number, high: number) =>
  /** @throws InvalidArgumentError */
  (text: string): number => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= low && value <= high))
      throw new InvalidArgumentError(`expected a number from ${low} to ${high}, got ${text}`);
    return value;
  };

/** As `between`, without fractions. */
export const whole =
  (low: number, high: number) =>
  /** @throws InvalidArgumentError */
  (text: string): number => {
    const value = between(low, high)(text);
    if (!Number.isInteger(value))
      throw new InvalidArgumentError(`expected a whole number from ${low} to ${high}, got ${text}`);
    return value;
  };
