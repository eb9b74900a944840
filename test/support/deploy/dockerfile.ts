import { cp, mkdir, readdir } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { exec } from 'node:child_process';

export interface Instruction {
  /** Upper case: `RUN`. */
  name: string;
  arguments: string;
}

export interface Stage {
  /** What it is made from, with the defaults of the arguments put in. */
  from: string;
  alias: string | null;
  instructions: Instruction[];
}

/** The stages of a Dockerfile, with continued lines joined and comments left out. */
export function stagesOf(text: string): Stage[] {
  const lines = text.split('\n').filter((line) => !/^\s*#/.test(line));
  const joined = lines.join('\n').replace(/\\\n\s*/g, '');
  const defaults = new Map<string, string>();
  const stages: Stage[] = [];
  for (const line of joined.split('\n')) {
    const [, word, rest] = /^(\w+)\s+(.*)$/.exec(line.trim()) ?? [];
    if (!word) continue;
    const name = word.toUpperCase();
    if (name === 'FROM') {
      const [, from, alias] = /^(\S+)(?:\s+AS\s+(\S+))?$/i.exec(rest!)!;
      stages.push({ from: withDefaults(from!, defaults), alias: alias ?? null, instructions: [] });
    } else if (stages.length > 0) {
      stages.at(-1)!.instructions.push({ name, arguments: rest! });
    } else if (name === 'ARG') {
      const [key, value] = rest!.split('=') as [string, string?];
      defaults.set(key, value ?? '');
    }
  }
  return stages;
}

/** The arguments of an instruction in exec form. @throws for the shell form, under which signals do not arrive */
export function execForm(stage: Stage, name: string): string[] {
  const found = stage.instructions.find((instruction) => instruction.name === name);
  return JSON.parse(found!.arguments.replace(/^.*?CMD (?=\[)/, '')) as string[];
}

/** Files of the context that a .dockerignore of allowed (`!path`) and then refused (`path`) patterns lets into the build. */
export function contextFilter(ignore: string): (path: string) => boolean {
  const rules = ignore.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return (path) =>
    rules.reduce((taken, rule) => {
      const allows = rule.startsWith('!');
      const pattern = allows ? rule.slice(1) : rule;
      const expression = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
      return new RegExp(`^${expression.join('[^/]*')}(/|$)`).test(path) ? allows : taken;
    }, true);
}

/**
 * Carries out COPY from the context and RUN of a stage that works in one folder, without a container: what it builds is what
 * an image would get, on the system of this machine.
 * @param folder stands for the stage's WORKDIR
 */
export async function carryOut(
  stage: Stage,
  of: { context: string; taken: (path: string) => boolean; folder: string },
): Promise<void> {
  for (const { name, arguments: text } of stage.instructions) {
    if (name === 'COPY') {
      const parts = text.split(/\s+/);
      for (const source of parts.slice(0, -1)) await copy(source, parts.at(-1)!, of);
    } else if (name === 'RUN') {
      const command = text.replace(/^(--mount=\S+\s+)+/, '');
      await promisify(exec)(command, { cwd: of.folder, maxBuffer: 1 << 26 });
    } else if (name !== 'WORKDIR') {
      throw new Error(`expected COPY, RUN and WORKDIR in a stage that is carried out, got ${name}`);
    }
  }
}

async function copy(
  source: string,
  target: string,
  { context, taken, folder }: { context: string; taken: (path: string) => boolean; folder: string },
): Promise<void> {
  const into = target.endsWith('/') ? join(folder, target, source) : join(folder, target);
  await mkdir(dirname(into), { recursive: true });
  await cp(join(context, source), into, {
    recursive: true,
    filter: (path) => taken(relative(context, path)),
  });
}

/** All files below, with their paths. */
export async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => relative(folder, join(entry.parentPath, entry.name)));
}

function withDefaults(text: string, defaults: Map<string, string>): string {
  return text.replace(/\$\{(\w+)\}/g, (_, key: string) => defaults.get(key) ?? '');
}
