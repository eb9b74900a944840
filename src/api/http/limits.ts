import {
  type ASTVisitor,
  type FragmentDefinitionNode,
  GraphQLError,
  Kind,
  type SelectionSetNode,
  type ValidationContext,
} from 'graphql';

/** A request body in bytes: recipes are small, but an upload names up to a thousand files. */
export const MAX_BODY_BYTES = 1024 * 1024;
/** A WebSocket message in bytes. */
export const MAX_MESSAGE_BYTES = 64 * 1024;
/** Words and marks of a document; the introspection of GraphiQL has about 500. */
export const MAX_TOKENS = 4000;
/** Lineage can be followed for some steps in one request, not without end. */
export const MAX_DEPTH = 14;

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
    OperationDefinition(node) {
      const depth = depthOf(node.selectionSet, []);
      if (depth > MAX_DEPTH) {
        context.reportError(
          new GraphQLError(`expected fields nested at most ${MAX_DEPTH} deep, got ${depth}: ask in several requests`, {
            nodes: node,
          }),
        );
      }
    },
  };
}
