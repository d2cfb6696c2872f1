// Prints the published contract from the code that serves it.
import { writeFileSync } from 'node:fs'
import { printStandaloneSdl, printSubgraphSdl } from '../src/graphql/schema.ts'

writeFileSync('schema/schema.graphql', printStandaloneSdl())
writeFileSync('schema/subgraph.graphql', printSubgraphSdl())
