import 'reflect-metadata';
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import {
  getNamedType,
  type GraphQLInputObjectType,
  isInputObjectType,
  isObjectType,
  isInterfaceType,
  isEnumType,
  Kind,
  parse,
  validate,
  valueFromAST,
  parseValue,
} from 'graphql';
import { describe, expect, it } from 'vitest';
import { depthLimit } from '../../src/api/http/limits.ts';
import { buildApiSchema, printApiSchema } from '../../src/api/schema.ts';
import { parseAnyRecipe } from '../../src/pipeline/drift/recipe.ts';

const schema = buildApiSchema();
const read = (path: string) => readFileSync(new URL(`../../schema/${path}`, import.meta.url), 'utf8');
const operations = readdirSync(new URL('../../schema/operations/', import.meta.url));

it('schema/schema.graphql is what the code says', () => {
  expect(read('schema.graphql')).toBe(printApiSchema(schema));
});

describe('the ready-made operation', () => {
  it.each(operations)('%s is valid and named like its file', (file) => {
    const document = parse(read(`operations/${file}`));
    expect(validate(schema, document)).toEqual([]);
    expect(validate(schema, document, [depthLimit])).toEqual([]);
    const [definition, ...others] = document.definitions;
    expect(others.every(({ kind }) => kind === Kind.FRAGMENT_DEFINITION)).toBe(true);
    expect(definition!.kind === Kind.OPERATION_DEFINITION && definition!.name?.value).toBe(basename(file, '.graphql'));
  });
});

describe('Relay', () => {
  const typesOf = (name: string) => {
    const type = schema.getType(name);
    if (!isObjectType(type) && !isInterfaceType(type)) throw new Error(`expected an object type ${name}, got none`);
    return Object.fromEntries(Object.values(type.getFields()).map((field) => [field.name, String(field.type)]));
  };
  const connections = Object.keys(schema.getTypeMap()).filter((name) => name.endsWith('Connection'));

  it('finds any object by its id', () => {
    const { node, nodes } = schema.getQueryType()!.getFields();
    expect([node, nodes].map((field) => [String(field!.type), field!.args.map((one) => String(one.type))])).toEqual([
      ['Node', ['ID!']],
      ['[Node]!', ['[ID!]!']],
    ]);
    expect(typesOf('Node')).toEqual({ id: 'ID!' });
  });

  it('has PageInfo as the connections specification has it', () => {
    expect(typesOf('PageInfo')).toEqual({
      hasNextPage: 'Boolean!',
      hasPreviousPage: 'Boolean!',
      startCursor: 'String',
      endCursor: 'String',
    });
  });

  it.each(connections)('%s is a connection', (name) => {
    const of = name.replace(/Connection$/, '');
    expect(typesOf(name)).toMatchObject({ edges: `[${of}Edge!]!`, pageInfo: 'PageInfo!' });
    expect(Object.keys(typesOf(`${of}Edge`)).sort()).toEqual(['cursor', 'node']);
    expect(typesOf(`${of}Edge`)['cursor']).toBe('String!');
    const fields = Object.values(schema.getTypeMap()).flatMap((type) =>
      isObjectType(type)
        ? Object.values(type.getFields()).filter((field) => getNamedType(field.type).name === name)
        : [],
    );
    expect(fields.length).toBeGreaterThan(0);
    for (const { args } of fields) {
      const types = Object.fromEntries(args.map((argument) => [argument.name, String(argument.type)]));
      expect(types).toMatchObject({ first: 'Int!', after: 'String' });
    }
  });
});

it('every type, field, argument and enum value says what it is', () => {
  const silent: string[] = [];
  for (const type of Object.values(schema.getTypeMap())) {
    if (type.name.startsWith('__')) continue;
    const root = ['Query', 'Mutation', 'Subscription'].includes(type.name);
    if (!type.description && !root) silent.push(type.name);
    if (isEnumType(type))
      for (const value of type.getValues()) if (!value.description) silent.push(`${type.name}.${value.name}`);
    if (!isObjectType(type) && !isInterfaceType(type) && !isInputObjectType(type)) continue;
    for (const field of Object.values(type.getFields())) {
      if (!field.description) silent.push(`${type.name}.${field.name}`);
      for (const argument of 'args' in field ? field.args : []) {
        if (!argument.description) silent.push(`${type.name}.${field.name}(${argument.name})`);
      }
    }
  }
  expect(silent).toEqual([]);
});

describe.each([
  {
    name: 'RecipeInput',
    least: { datasetVersionId: 'v', priorId: 'p', imagesPerClass: 3 },
    kind: {},
    sections: ['survey', 'quantizer', 'decoder', 'labels', 'weights', 'compare', 'tolerances', 'execution'],
    ranges: ['seed', 'holdout', 'weights.exponent', 'quantizer.restarts', 'execution.batch'],
  },
  {
    name: 'DriftRecipeInput',
    least: { datasetVersionId: 'v', against: 'production' },
    kind: { kind: 'DRIFT' },
    sections: ['minEffect', 'tolerances', 'execution'],
    ranges: ['seed', 'samplesPerClass', 'minEffect.mass', 'execution.batch'],
  },
])('$name', ({ name, least, kind, sections, ranges }) => {
  const type = schema.getType(name) as GraphQLInputObjectType;
  const parsed = (value: object) => parseAnyRecipe({ ...value, ...kind });
  const asked = (value: object) => valueFromAST(parseValue(literal(value)), type) as object;

  it('has the defaults of the recipe', () => {
    const full = asked({ ...least, ...Object.fromEntries(sections.map((section) => [section, {}])) });
    const expected = parsed(least);
    expect({ ...full, ...kind }).toEqual(expected);
    expect(parsed(asked(least))).toEqual(expected);
  });

  const stated = rangesOf(type);

  it('states ranges', () => {
    expect(stated.map(({ path }) => path.join('.'))).toEqual(expect.arrayContaining(ranges));
  });

  it.each(stated)('states the range of $path that the recipe has', ({ path, from, to }) => {
    const recipe = (value: number) => ({
      ...least,
      ...(path.reduceRight<object | number>((of, key) => ({ [key]: of }), value) as object),
    });
    for (const value of [from, to]) {
      expect(asked(recipe(value))).toBeDefined();
      expect(() => parsed(recipe(value))).not.toThrow();
    }
    const beyond = Number.isInteger(from) && Number.isInteger(to) && to > 1 ? 1 : 1e-6;
    for (const value of [from - beyond, to + beyond]) expect(() => parsed(recipe(value))).toThrow(path.at(-1));
  });
});

/** A value as GraphQL writes it. */
function literal(value: unknown): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  return `{ ${Object.entries(value)
    .map(([key, of]) => `${key}: ${literal(of)}`)
    .join(', ')} }`;
}

/** `0 to 1`, `1 to 1000`, `0 to 2^32 - 1` as descriptions have them. */
function rangesOf(type: GraphQLInputObjectType, above: string[] = []): { path: string[]; from: number; to: number }[] {
  return Object.values(type.getFields()).flatMap((field) => {
    const path = [...above, field.name];
    const of = getNamedType(field.type);
    if (isInputObjectType(of)) return rangesOf(of, path);
    const found = /([\d.]+) to (?:2\^(\d+) - 1|(\d[\d.]*\d|\d))/.exec(field.description ?? '');
    if (!found) return [];
    const [, from, power, to] = found;
    return [{ path, from: Number(from), to: power ? 2 ** Number(power) - 1 : Number(to) }];
  });
}

it('fields that nest without end are refused, also through fragments', () => {
  const deep = (depth: number) => `${'inputs { '.repeat(depth)} id ${'}'.repeat(depth)}`;
  const direct = `query { artifact(id: "x") { ${deep(20)} } }`;
  const hidden = `query { artifact(id: "x") { ...A } } fragment A on Artifact { ${deep(8)} ...B }
    fragment B on Artifact { ${deep(7).replace(' id ', ' ...C ')} } fragment C on Artifact { ${deep(7)} }`;
  for (const query of [direct, hidden]) {
    expect(validate(schema, parse(query), [depthLimit])[0]?.message).toMatch(/nested at most 14 deep/);
  }
  expect(validate(schema, parse(`query { artifact(id: "x") { ${deep(5)} } }`), [depthLimit])).toEqual([]);
});
