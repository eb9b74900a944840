import {
  type ASTNode,
  type ASTVisitor,
  type FragmentDefinitionNode,
  GraphQLError,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
  type ValidationContext,
  type ValidationRule,
} from 'graphql';
import { PushforwardError } from '../../base/errors.ts';

/** A request body in bytes: recipes are small, but an upload names up to a thousand files. */
export const MAX_BODY_BYTES = 1024 * 1024;
/** A WebSocket message in bytes. */
export const MAX_MESSAGE_BYTES = 64 * 1024;
/** Words and marks of a document; the introspection of GraphiQL has about 500. */
export const MAX_TOKENS = 4000;
/** Lineage can be followed for some steps in one request, not without end. */
export const MAX_DEPTH = 14;
/** Names under which one field may be asked for side by side: each may be a statement of its own. */
export const MAX_ALIASES = 30;
/** Objects that an operation may show, see `costOf`; the costliest of our own operations, with pages of 100, has 2,400. */
export const MAX_COST = 20_000;

/** Refuses a request that is too large, as an expected failure of whoever sends it. */
export function limitExceeded(message: string, nodes?: ASTNode): GraphQLError {
  return new GraphQLError(message, {
    ...(nodes && { nodes }),
    originalError: new PushforwardError('LIMIT_EXCEEDED', message),
    extensions: { code: 'LIMIT_EXCEEDED', http: { status: 400 } },
  });
}

/**
 * Reports until validation gives up: the rules of the specification compare fields of one name with each other, all of them,
 * and those that wait behind this one need not begin. Whoever answers shows the first alone.
 */
function endValidation(context: ValidationContext, error: GraphQLError): void {
  for (let reports = 0; reports < MAX_REPORTS; reports++) context.reportError(error);
}
/** More than the errors after which graphql's `validate` gives up by default. */
const MAX_REPORTS = 101;

/** Refuses documents that ask for the same field more than `MAX_ALIASES` times side by side. */
export function aliasLimit(context: ValidationContext): ASTVisitor {
  const count = (set: SelectionSetNode, names: Map<string, number>): void => {
    for (const node of set.selections) {
      if (node.kind === Kind.FIELD) {
        names.set(node.name.value, (names.get(node.name.value) ?? 0) + 1);
        if (node.selectionSet) check(node.selectionSet);
      } else if (node.kind === Kind.INLINE_FRAGMENT) {
        count(node.selectionSet, names);
      }
    }
  };
  const check = (set: SelectionSetNode): void => {
    const names = new Map<string, number>();
    count(set, names);
    for (const [name, times] of names) {
      if (times <= MAX_ALIASES) continue;
      const message = `expected ${name} at most ${MAX_ALIASES} times side by side, got ${times}: ask in several requests`;
      endValidation(context, limitExceeded(message, set));
    }
  };
  return {
    Document({ definitions }) {
      for (const node of definitions) if ('selectionSet' in node) check(node.selectionSet);
    },
  };
}

/** @throws LIMIT_EXCEEDED for what costs more than `MAX_COST` */
export function checkCost(requested: number, operation: OperationDefinitionNode): void {
  if (requested <= MAX_COST) return;
  throw limitExceeded(
    `expected an operation that shows at most ${MAX_COST} objects, got one of up to ${requested}: ask for shorter pages (first) or in several requests`,
    operation,
  );
}

/** Refuses documents whose fields nest deeper than `MAX_DEPTH`. Introspection is left out: its depth is fixed by us. */
export function depthLimit(context: ValidationContext): ASTVisitor {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of context.getDocument().definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  const known = new Map<string, number>();

  const depthOf = (set: SelectionSetNode | undefined, within: readonly string[]): number => {
    let deepest = 0;
    for (const node of set?.selections ?? []) {
      if (node.kind === Kind.FIELD) {
        if (!node.name.value.startsWith('__')) deepest = Math.max(deepest, 1 + depthOf(node.selectionSet, within));
      } else if (node.kind === Kind.INLINE_FRAGMENT) {
        deepest = Math.max(deepest, depthOf(node.selectionSet, within));
      } else if (!within.includes(node.name.value)) {
        deepest = Math.max(deepest, depthOfFragment(node.name.value, within));
      }
    }
    return deepest;
  };
  const depthOfFragment = (name: string, within: readonly string[]): number => {
    const depth = known.get(name) ?? depthOf(fragments.get(name)?.selectionSet, [...within, name]);
    known.set(name, depth);
    return depth;
  };

  return {
    Document({ definitions }) {
      for (const node of definitions) {
        const depth = node.kind === Kind.OPERATION_DEFINITION ? depthOf(node.selectionSet, []) : 0;
        if (depth <= MAX_DEPTH) continue;
        const message = `expected fields nested at most ${MAX_DEPTH} deep, got ${depth}: ask in several requests`;
        endValidation(context, limitExceeded(message, node));
      }
    },
  };
}

/** What documents are held to beside the rules of the specification. */
export const LIMITS: readonly ValidationRule[] = [depthLimit, aliasLimit];
