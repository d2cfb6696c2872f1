/** Compares the bodies of webhooks with the published JSON Schema. */
import { Ajv2020 } from 'ajv/dist/2020.js'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { FINAL_STATUSES, SWAP_CHARGE_STATES, SWAP_FAILURE_CODES, type SwapJob } from '../../src/domain/swap-job.ts'
import { toWebhookBody } from '../../src/domain/webhook.ts'
import { makeSwapJob } from '../support/jobs.ts'

const schema = JSON.parse(readFileSync('schema/webhooks/swap.finished.schema.json', 'utf8'))
const validate = new Ajv2020({ allErrors: true, validateFormats: false, allowUnionTypes: true }).compile(schema)
const NOW = Date.UTC(2026, 0, 1)
const toBody = (over: Partial<SwapJob>) => JSON.parse(JSON.stringify(toWebhookBody(makeSwapJob(NOW, over), NOW)))

test.each(FINAL_STATUSES)('the webhook body of a job that ends as %s matches the JSON schema', (status) => {
  validate(toBody({ status, tags: ['a'], clientReference: 'r', charge: { state: 'CHARGED', quota: 3 } }))
  expect(validate.errors).toBeNull()
})

test.each(SWAP_FAILURE_CODES)('the webhook body of a failure with the code %s matches the JSON schema', (code) => {
  validate(toBody({ status: 'FAILED', failure: { code, message: 'why', retryable: false } }))
  expect(validate.errors).toBeNull()
})

test.each(SWAP_CHARGE_STATES)('the webhook body of a job whose charge is %s matches the JSON schema', (state) => {
  validate(toBody({ status: 'SUCCESS', charge: { state, quota: null } }))
  expect(validate.errors).toBeNull()
})

test('the JSON schema of the webhook body names exactly the members that are sent', () => {
  const { data, ...top } = toBody({ failure: { code: 'OTHER', message: 'why', retryable: false } })
  const { properties } = schema
  expect(Object.keys({ ...top, data })).toEqual(Object.keys(properties))
  expect(Object.keys(data)).toEqual(Object.keys(properties.data.properties))
  for (const name of ['failure', 'charge']) {
    expect(Object.keys(data[name])).toEqual(Object.keys(properties.data.properties[name].properties))
  }
})

test('the JSON schema of the webhook body refuses an unfinished status and another type', () => {
  expect(validate(toBody({ status: 'PENDING' }))).toBe(false)
  expect(validate({ ...toBody({ status: 'SUCCESS' }), type: 'other' })).toBe(false)
})
