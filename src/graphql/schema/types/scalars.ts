import { GraphQLError } from 'graphql'
import { parseInstant } from '../../../lib/time/parse-instant.ts'
import { builder } from '../builder.ts'

builder.scalarType('DateTime', {
  description:
    'A date and time in RFC 3339. Output is in UTC with milliseconds. Input requires an offset; digits below the millisecond are dropped.',
  serialize: (ms) => new Date(ms).toISOString(),
  parseValue: (value) => {
    const ms = typeof value === 'string' ? parseInstant(value) : null
    if (ms === null) {
      throw new GraphQLError(
        'A DateTime is an existing date and time with an offset, such as "2026-01-31T12:00:00Z" or "2026-01-31T12:00:00.000+08:00".',
      )
    }
    return ms
  },
})

builder.scalarType('URL', {
  description: 'An absolute http(s) URL, stored exactly as it was given.',
  serialize: (url) => url,
  // The use case checks the URL, because it reports all issues of an input at once, as data.
  parseValue: (value) => {
    if (typeof value !== 'string') throw new GraphQLError('A URL must be a string.')
    return value
  },
})
