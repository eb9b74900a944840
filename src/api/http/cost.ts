import { type ApolloServerPlugin } from '@apollo/server';
import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  getNamedType,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLSchema,
  isCompositeType,
  isInterfaceType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from 'graphql';
import { MAX_PAGE } from '../connection.ts';
import { type ApiContext } from '../context.ts';
import { checkCost, MAX_COST } from './limits.ts';

type Variables = Readonly<Record<string, unknown>>;

/** Refuses what costs too much, and tells what was asked for in `extensions.cost`. */
export function cost(): ApolloServerPlugin<ApiContext> {
  return {
    async requestDidStart() {
      let requested: number | null = null;
      return {
        async didResolveOperation({ schema, document, operation, request }) {
          if (!operation) return;
          requested = costOf(schema, document, operation, request.variables ?? {});
          checkCost(requested, operation);
        },
        async willSendResponse({ response: { body } }) {
          if (body.kind !== 'single') return;
          // Limits of documents are reported until validation gives up.
          const { data, errors } = body.singleResult;
          const beyond =
            data === undefined && errors?.find(({ extensions }) => extensions?.['code'] === 'LIMIT_EXCEEDED');
          if (beyond) body.singleResult.errors = [beyond];
          if (requested === null) return;
          body.singleResult.extensions = { ...body.singleResult.extensions, cost: { requested, maximum: MAX_COST } };
        },
      };
    },
  };
}

/**
 * The objects that an operation may show: each counts one, and what lies below a list counts as often as its `first`, or the
 * length of its `ids`. Each fragment is counted once, however often it is spread, so hostile documents take no longer.
 * @param document valid against the schema
 */
export function costOf(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  variables: Variables,
): number {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  const known = new Map<string, number>();

  const ofSet = (set: SelectionSetNode, type: GraphQLNamedType | undefined): number => {
    let sum = 0;
    for (const node of set.selections) {
      if (node.kind === Kind.FIELD) sum += ofField(node, type);
      else if (node.kind === Kind.FRAGMENT_SPREAD) sum += ofFragment(node.name.value);
      else {
        const { typeCondition, selectionSet } = node;
        sum += ofSet(selectionSet, typeCondition ? schema.getType(typeCondition.name.value) : type);
      }
    }
    return sum;
  };
  const ofFragment = (name: string): number => {
    const definition = fragments.get(name)!;
    const cost = known.get(name) ?? ofSet(definition.selectionSet, schema.getType(definition.typeCondition.name.value));
    known.set(name, cost);
    return cost;
  };
  const ofField = (node: FieldNode, type: GraphQLNamedType | undefined): number => {
    const field = isObjectType(type) || isInterfaceType(type) ? type.getFields()[node.name.value] : undefined;
    const of = field && getNamedType(field.type);
    // Introspection, and names of types: no objects of ours.
    if (!field || !isCompositeType(of)) return 0;
    return lengthOf(node, field, variables) * (1 + ofSet(node.selectionSet!, of));
  };

  const root = schema.getRootType(operation.operation);
  return ofSet(operation.selectionSet, root ?? undefined);
}

function lengthOf(node: FieldNode, field: GraphQLField<unknown, unknown>, variables: Variables): number {
  for (const { name, defaultValue } of field.args) {
    if (name !== 'first' && name !== 'ids') continue;
    const given = node.arguments?.find((argument) => argument.name.value === name)?.value;
    let value: unknown = defaultValue;
    if (given?.kind === Kind.VARIABLE) value = variables[given.name.value] ?? defaultValue;
    else if (given?.kind === Kind.LIST) value = given.values;
    else if (given?.kind === Kind.INT) value = Number(given.value);
    // The resolvers refuse what is out of bounds.
    if (Array.isArray(value)) return Math.max(1, value.length);
    if (typeof value === 'number') return Math.min(MAX_PAGE, Math.max(1, value));
  }
  return 1;
}
