/**
 * Refuses documents that exceed the limits of `document-limits.ts` before they are validated. Stops validation after a
 * few errors: each costs a stack trace, and a hundred of them block the event loop for 20 ms.
 */
import type { DocumentNode } from 'graphql'
import type { Plugin } from 'graphql-yoga'
import { checkDocument, parseWithinLimits } from '../operation/document-limits.ts'

export const MAX_VALIDATION_ERRORS = 10

export function useDocumentLimits(): Plugin {
  /** Documents within the limits; the parser's cache returns the same objects. */
  const checked = new WeakSet<DocumentNode>()
  return {
    onParse: ({ parseFn, setParseFn }) => {
      setParseFn((source, options) => parseWithinLimits(parseFn, source, options))
      return ({ result, replaceParseResult }) => {
        if (result === null || result instanceof Error || checked.has(result)) return
        try {
          checkDocument(result)
          checked.add(result)
        } catch (error) {
          replaceParseResult(error instanceof Error ? error : new Error(String(error)))
        }
      }
    },
    onValidate: ({ validateFn, setValidationFn }) => {
      setValidationFn((schema, document, rules, options) =>
        validateFn(schema, document, rules, { ...options, maxErrors: MAX_VALIDATION_ERRORS }),
      )
    },
  }
}
