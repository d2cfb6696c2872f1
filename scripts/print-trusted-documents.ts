// Prints the documents that a gateway with TRUSTED_DOCUMENTS runs: those of schema/operations, and those of the page.
import { writeFileSync } from 'node:fs'
import { Kind, parse } from 'graphql'
import * as generated from '../test/support/generated.ts'
import { sha256 } from '../src/lib/crypto/sha256.ts'
import { START_DOCUMENT, WATCH_DOCUMENT } from '../src/page/home-page.ts'

const documents = [
  ...Object.values(generated).filter((one) => one instanceof generated.TypedDocumentString),
  START_DOCUMENT,
  WATCH_DOCUMENT,
]
const entries = documents
  .map((document) => document.toString())
  .filter((text) => parse(text).definitions.some(({ kind }) => kind === Kind.OPERATION_DEFINITION))
  .map((text) => [sha256(text), text] as const)
writeFileSync('schema/trusted-documents.json', `${JSON.stringify(Object.fromEntries(entries), null, 2)}\n`)
