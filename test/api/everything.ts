/** Requests made from the schema itself, so that a field is asked for from the day it is there. */
import {
  getNamedType,
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLNamedOutputType,
  type GraphQLSchema,
  isAbstractType,
  isEnumType,
  isInputObjectType,
  isLeafType,
  isListType,
  isNonNullType,
  isRequiredArgument,
} from 'graphql';

/** Every field of a type that needs no argument, and of the types below, `depth` types deep, none within itself. */
export function everything(
  schema: GraphQLSchema,
  type: GraphQLNamedOutputType,
  depth: number,
  within: string[] = [],
): string {
  if (isLeafType(type)) return '';
  if (isAbstractType(type)) {
    const members = schema.getPossibleTypes(type).map((member) => {
      // Members may have fields of one name and different types.
      const fields = fieldsOf(schema, member, depth, within).map(
        (field) => `${member.name}_${field.name}: ${field.text}`,
      );
      return `... on ${member.name} { ${fields.join(' ')} }`;
    });
    return `{ __typename ${members.join(' ')} }`;
  }
  const fields = fieldsOf(schema, type, depth, within).map((field) => field.text);
  return `{ ${['__typename', ...fields].join(' ')} }`;
}

function fieldsOf(schema: GraphQLSchema, type: GraphQLNamedOutputType, depth: number, within: string[]) {
  if (!('getFields' in type)) return [];
  return Object.values(type.getFields() as Record<string, GraphQLField<unknown, unknown>>).flatMap((field) => {
    const of = getNamedType(field.type);
    if (field.args.some(isRequiredArgument)) return [];
    if (isLeafType(of)) return [{ name: field.name, text: field.name }];
    if (depth <= 1 || within.includes(of.name)) return [];
    return [{ name: field.name, text: `${field.name} ${everything(schema, of, depth - 1, [...within, type.name])}` }];
  });
}

/** A place of an argument where an id or a text goes. */
export interface Place {
  path: string[];
  type: 'ID' | 'String';
}

export function placesOf(field: GraphQLField<unknown, unknown>): Place[] {
  return field.args.flatMap((argument) => placesWithin(argument.type, [argument.name]));
}

function placesWithin(type: GraphQLInputType, path: string[]): Place[] {
  const of = getNamedType(type);
  if (isInputObjectType(of)) {
    return Object.values(of.getFields()).flatMap((field) => placesWithin(field.type, [...path, field.name]));
  }
  return of.name === 'ID' || of.name === 'String' ? [{ path, type: of.name }] : [];
}

/**
 * Variables for every argument that has to be given: `known` by the name of the field, and what `at` says at its path.
 * @throws where a field is required that `known` has nothing for
 */
export function variablesFor(
  field: GraphQLField<unknown, unknown>,
  known: Record<string, () => unknown>,
  at?: { path: string[]; value: string },
): Record<string, unknown> {
  const fill = (
    fields: readonly { name: string; type: GraphQLInputType; defaultValue?: unknown }[],
    above: string[],
  ): Record<string, unknown> =>
    Object.fromEntries(
      fields.flatMap(({ name, type, defaultValue }) => {
        const path = [...above, name];
        const here = at && path.every((key, index) => at.path[index] === key);
        if (here && at.path.length === path.length) return [[name, listed(type) ? [at.value] : at.value]];
        const of = getNamedType(type);
        if (!here && (!isNonNullType(type) || defaultValue !== undefined)) return [];
        if (isInputObjectType(of)) return [[name, fill(Object.values(of.getFields()), path)]];
        if (isEnumType(of)) return [[name, of.getValues()[0]!.name]];
        if (!known[name])
          throw new Error(`expected a value to send for ${field.name}(${path.join('.')}), got none: add it`);
        return [[name, known[name]()]];
      }),
    );
  return fill(field.args, []);
}

const listed = (type: GraphQLInputType): boolean => isListType(isNonNullType(type) ? type.ofType : type);

/** The document that asks for one field of a root type under the name `answer`. */
export function documentFor(
  schema: GraphQLSchema,
  operation: 'query' | 'mutation' | 'subscription',
  field: GraphQLField<unknown, unknown>,
  variables: Record<string, unknown>,
  depth = 3,
): string {
  const used = field.args.filter((argument) => argument.name in variables);
  const declared = used.map((argument) => `$${argument.name}: ${String(argument.type)}`);
  const passed = used.map((argument) => `${argument.name}: $${argument.name}`);
  const parens = (parts: string[]) => (parts.length ? `(${parts.join(', ')})` : '');
  return `${operation} Everything${parens(declared)} { answer: ${field.name}${parens(passed)} ${everything(schema, getNamedType(field.type), depth)} }`;
}
