import { GraphQLError } from 'graphql'
import { builder } from '../builder.ts'

builder.scalarType('DateTime', {
  description: 'An instant, RFC 3339, UTC, millisecond precision.',
  serialize: (ms) => new Date(ms).toISOString(),
  parseValue: (value) => {
    const ms = typeof value === 'string' && /^\d{4}-\d{2}-\d{2}T/.test(value) ? Date.parse(value) : Number.NaN
    if (Number.isNaN(ms)) throw new GraphQLError('A DateTime is written like "2026-01-31T12:00:00.000Z".')
    return ms
  },
})

builder.scalarType('URL', {
  description: 'An absolute http(s) address, kept byte for byte as it was given.',
  serialize: (url) => url,
  // Which addresses may be used is for the field to say, as data: a form wants all its issues at once.
  parseValue: (value) => {
    if (typeof value !== 'string') throw new GraphQLError('A URL is a string.')
    return value
  },
})
