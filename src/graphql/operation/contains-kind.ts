import { type ASTNode, BREAK, type Kind, visit } from 'graphql'

/** Whether `node` contains a node of that kind, or is one. */
export function containsKind(node: ASTNode, kind: Kind): boolean {
  let found = false
  visit(node, {
    enter: (inner) => {
      if (inner.kind !== kind) return undefined
      found = true
      return BREAK
    },
  })
  return found
}
