// Prints the published contract from the code that serves it.
import { writeFileSync } from 'node:fs'
import { createSchema } from '../src/graphql/schema/schema.ts'
import { printStandaloneSdl, printSubgraphSdl } from '../src/graphql/schema/sdl.ts'

const schema = createSchema()

writeFileSync('schema/schema.graphql', printStandaloneSdl(schema))
writeFileSync('schema/subgraph.graphql', printSubgraphSdl(schema))
