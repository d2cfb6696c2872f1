/**
 * Measures the cost of refusals: `npx tsx bench/security.ts` prints one Markdown table. CPU is the kernel's figure for
 * the gateway's process. All programs share this machine, so compare the ratios. Exits with 1 if a refusal costs more
 * than five times the smallest query, or if the rate of refused hooks is less than five times the rate of that query.
 */
import autocannon from 'autocannon'
import { openBenchGateway } from './realtime/gateway.ts'

const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 3)
const CONNECTIONS = 16
const MOST_TIMES = 5

const times = (count: number, part: (n: number) => string) =>
  Array.from({ length: count }, (_u, n) => part(n)).join(' ')
const post = (query: string, headers: Record<string, string> = {}) => ({
  path: '/graphql',
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify({ query }),
})
const hook = { path: `/hooks/swapface/job_00000000000000000000000000.${'A'.repeat(22)}`, headers: {}, body: '{}' }

const smallest = post('{ __typename }')
const refused = {
  '101 aliases': post(`{ ${times(101, (n) => `a${n}: __typename`)} }`),
  '20,000 aliases': post(`{ ${times(20_000, (n) => `a${n}:b`)} }`),
  '5,000 nested braces': post(`${'{a'.repeat(5_000)}${'}'.repeat(5_000)}`),
  'overlapping fields': post(`{ swapJob(id: "1") { ${times(900, () => 'id')} } }`),
  'overlapping fields in 150 fragments': post(
    `{ swapJob(id: "1") { ${times(150, (n) => `...F${n}`)} } } ${times(150, (n) => `fragment F${n} on SwapJob { id status }`)}`,
  ),
  'fragments that each double the fields, 30 times': post(
    `{ ...F0 } ${times(30, (n) => `fragment F${n} on Query { a${n}: node(id: 1) { ...F${n + 1} } b${n}: node(id: 2) { ...F${n + 1} } }`)} fragment F30 on Query { __typename }`,
  ),
  'eleven directives': post(`{ __typename ${times(11, () => '@include(if: true)')} }`),
  'a syntax error': post('{ swapJob('),
  'an unknown field': post('{ nope }'),
  'no JSON': { ...smallest, body: '{"query":' },
  '256 kB of JSON without a query': { ...smallest, body: JSON.stringify({ variables: { a: 'x'.repeat(260_000) } }) },
  'more than 256 kB': { ...smallest, body: JSON.stringify({ query: 'x'.repeat(300_000) }) },
  'a wrong content type': post('{ __typename }', { 'content-type': 'text/plain' }),
  'another origin': post('{ __typename }', { origin: 'https://evil.example' }),
}

type Attack = Pick<autocannon.Request, 'path' | 'headers' | 'body'>

const gateway = await openBenchGateway()

async function measure({ path, headers, body }: Attack) {
  const from = gateway.process.cpuMs()
  const result = await autocannon({
    url: `${gateway.url}${path}`,
    method: 'POST',
    headers: headers ?? {},
    body: body ?? '',
    connections: CONNECTIONS,
    duration: SECONDS,
  })
  const count = result.requests.total
  return { cpuUs: ((gateway.process.cpuMs() - from) * 1_000) / count, perSecond: count / SECONDS }
}

const rows: string[] = []
const offences: string[] = []
const note = (what: string, { cpuUs, perSecond }: Awaited<ReturnType<typeof measure>>, ratio: string) => {
  rows.push(`| ${what} | ${cpuUs.toFixed(0)} µs | ${perSecond.toFixed(0)}/s | ${ratio} |`)
  process.stderr.write(`${rows.at(-1)}\n`)
}

try {
  await measure(smallest)
  const base = await measure(smallest)
  note('the smallest query, executed', base, '1')
  await gateway.process.watchLoop()
  for (const [name, attack] of Object.entries(refused)) {
    const cost = await measure(attack)
    const ratio = cost.cpuUs / base.cpuUs
    note(name, cost, `${ratio.toFixed(2)} × its CPU`)
    if (ratio > MOST_TIMES) offences.push(name)
  }
  const { maxMs } = await gateway.process.readLoop()
  rows.push(`| longest wait of another request meanwhile | ${maxMs.toFixed(0)} ms | | |`)
  const forged = await measure(hook)
  const again = await measure(smallest)
  note('a forged hook', forged, `${(forged.perSecond / again.perSecond).toFixed(1)} × its rate`)
  if (forged.perSecond < again.perSecond * MOST_TIMES) offences.push('forged hooks')
} finally {
  await gateway.close()
}
console.log(['| request | CPU | rate | compared with the smallest query |', '|---|---|---|---|', ...rows].join('\n'))
for (const name of offences) process.stderr.write(`TOO DEAR: ${name}\n`)
process.exit(offences.length > 0 ? 1 : 0)
