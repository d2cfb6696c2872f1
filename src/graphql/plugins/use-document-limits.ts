/**
 * Refuses documents that cost too much (`document-limits.ts`) before they are validated, on every transport, and stops
 * validation after a few errors: each costs a stack trace, and a hundred of them hold the event loop for 20 ms.
 */
import type { DocumentNode } from 'graphql'
import type { Plugin } from 'graphql-yoga'
import { checkDocument, DOCUMENT_LIMITS } from '../operation/document-limits.ts'

export const MAX_VALIDATION_ERRORS = 10

export function useDocumentLimits(): Plugin {
  /** Those that were found to be within them: the parser keeps documents. */
  const checked = new WeakSet<DocumentNode>()
  return {
    onParse: ({ parseFn, setParseFn }) => {
      setParseFn((source, options) => parseFn(source, { ...options, maxTokens: DOCUMENT_LIMITS.tokens }))
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
