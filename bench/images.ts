/**
 * Measures uploads and delivery of images: `npx tsx bench/images.ts` prints one Markdown table. Delivery alternates with
 * a bare server that streams the same file. All programs share this machine, so compare the ratios. `BENCH_MEGABYTES`
 * (1,024) is the total size of the uploads. `BENCH_ONLY=large` measures only the memory for 20 photographs of 50
 * megapixels that arrive at the same moment.
 */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import autocannon from 'autocannon'
import sharp from 'sharp'
import { REJECTED, withLargeProfile } from '../test/support/images.ts'
import { openBenchGateway } from './realtime/gateway.ts'
import { kilobytes, median, milliseconds } from './realtime/figures.ts'
import { type MeasuredProcess, startProcess } from './realtime/process.ts'

const IS_LARGE_ONLY = process.env['BENCH_ONLY'] === 'large'
const LARGE_AT_ONCE = 20
const MEGABYTES = Number(process.env['BENCH_MEGABYTES'] ?? 1_024)
const ROUNDS = 3
const SECONDS = 4

/** Creates a JPEG of noise. */
async function makePicture(width: number, height: number): Promise<Buffer> {
  const raw = { width, height, channels: 3 } as const
  return sharp(randomBytes(width * height * 3), { raw })
    .jpeg({ quality: 92 })
    .toBuffer()
}

/** Creates photographs of 8,192 × 6,144 pixels in the formats that need most memory to decode. */
async function makeLargePictures(): Promise<Readonly<Record<string, Buffer>>> {
  const details = { width: 1_024, height: 768, channels: 3 } as const
  const large = sharp(randomBytes(1_024 * 768 * 3), { raw: details }).resize(8_192, 6_144, { kernel: 'linear' })
  const turned = { orientation: 6 }
  return {
    'a baseline JPEG': await large.clone().jpeg().toBuffer(),
    'a progressive JPEG that must be rotated': await large
      .clone()
      .jpeg({ progressive: true, chromaSubsampling: '4:4:4' })
      .withMetadata(turned)
      .toBuffer(),
    'an interlaced PNG with 16 bits': await sharp({
      create: { width: 8_192, height: 6_144, channels: 4, background: '#abcd' },
    })
      .toColourspace('rgb16')
      .png({ progressive: true })
      .toBuffer(),
    'a WebP': await large.clone().webp({ effort: 2 }).toBuffer(),
  }
}

const gateway = await openBenchGateway()
const folder = await mkdtemp(join(tmpdir(), 'swapface-bench-images-'))
const rows: string[] = []
const note = (what: string, figure: string) => {
  rows.push(`| ${what} | ${figure} |`)
  process.stderr.write(`${rows.at(-1)}\n`)
}

// A benchmark knows the shape of its query.
// oxlint-disable-next-line typescript/no-explicit-any
async function graphql(query: string): Promise<any> {
  const response = await fetch(`${gateway.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query }),
  })
  const answer: any = await response.json() // oxlint-disable-line typescript/no-explicit-any
  return answer.data
}

async function measureLargePictures(): Promise<void> {
  const pictures = Object.entries(await makeLargePictures())
  for (const [name, bytes] of pictures) {
    gateway.process.takePeak()
    const { status, text } = await send(bytes)
    if (status !== 200) throw new Error(text)
    note(`${name} of 50 megapixels, ${kilobytes(bytes.byteLength)}: peak memory`, kilobytes(gateway.process.takePeak()))
  }
  const all = Array.from({ length: LARGE_AT_ONCE }, (_none, n) => pictures[n % pictures.length]?.[1] ?? Buffer.alloc(0))
  const from = performance.now()
  const outcomes = await Promise.all(all.map(async (bytes) => (await send(bytes)).status))
  const seconds = (performance.now() - from) / 1_000
  note(
    `${LARGE_AT_ONCE} such photographs at the same moment: peak memory, all responses within`,
    `${kilobytes(gateway.process.takePeak())}, ${seconds.toFixed(0)} s`,
  )
  note(
    'of these: stored, refused with 503',
    [200, 503].map((one) => outcomes.filter((status) => status === one).length).join(', '),
  )
}

/** Reserves an upload and sends it. */
async function send(bytes: Buffer) {
  const { createSwapUpload } = await graphql(
    `mutation { createSwapUpload(input: { contentType: IMAGE_JPEG, byteLength: ${bytes.byteLength} }) {
      ... on CreateSwapUploadSuccess { upload { id } put { url } } } }`,
  )
  const { put, upload: reserved } = createSwapUpload
  const headers = { 'content-type': 'image/jpeg' }
  const response = await fetch(put.url, { method: 'PUT', body: new Uint8Array(bytes), headers })
  return { id: String(reserved.id), status: response.status, text: await response.text() }
}

/** Uploads an image. @returns the address of the stored image. */
async function upload(bytes: Buffer): Promise<string> {
  const { id, status, text } = await send(bytes)
  if (status !== 200) throw new Error(text)
  return `${gateway.url}/images/${id}.jpg`
}

async function deliver(url: string, { cpuMs }: MeasuredProcess) {
  const from = cpuMs()
  const { requests, errors, non2xx } = await autocannon({ url, connections: 16, duration: SECONDS })
  if (errors + non2xx > 0) throw new Error(`${errors} errors, ${non2xx} refusals`)
  return { perSecond: requests.total / SECONDS, cpuUs: ((cpuMs() - from) * 1_000) / requests.total }
}

async function measureTheRest(): Promise<void> {
  // Delivery.
  const address = await upload(await makePicture(540, 400))
  const served = Buffer.from(await (await fetch(address)).arrayBuffer())
  const file = join(folder, 'same.jpg')
  await writeFile(file, served)
  const bare = await startProcess('bench/realtime/limits/bare-file.mjs', { FILE: file })
  const rates: { ours: number[]; bare: number[] } = { ours: [], bare: [] }
  const cpus: { ours: number[]; bare: number[] } = { ours: [], bare: [] }
  for (let round = 0; round <= ROUNDS; round += 1) {
    const [theirs, ours] = [await deliver(bare.url, bare), await deliver(address, gateway.process)]
    // The first round warms up.
    if (round === 0) continue
    rates.ours.push(ours.perSecond)
    rates.bare.push(theirs.perSecond)
    cpus.ours.push(ours.cpuUs)
    cpus.bare.push(theirs.cpuUs)
  }
  await bare.stop()
  note(
    `an image of ${kilobytes(served.byteLength)}, delivered`,
    `${median(rates.ours).toFixed(0)}/s, ${median(cpus.ours).toFixed(0)} µs of CPU`,
  )
  note(
    'the same file from a bare node:http server',
    `${median(rates.bare).toFixed(0)}/s, ${median(cpus.bare).toFixed(0)} µs of CPU`,
  )
  note("rate as a share of the bare server's", (median(rates.ours) / median(rates.bare)).toFixed(2))

  // Hostile files run twice, once for event-loop delay and once for memory: reading memory blocks the event loop.
  const hostile = await Promise.all(Object.values(REJECTED).map(async (make) => make()))
  hostile.push(withLargeProfile(await makePicture(64, 48)))
  const quiet = await gateway.process.memory()
  await gateway.process.watchLoop()
  for (const bytes of hostile) await send(bytes)
  const hurt = await gateway.process.readLoop()
  let most = 0
  for (const bytes of hostile) {
    await send(bytes)
    most = Math.max(most, (await gateway.process.memory()).resident)
  }
  note(`peak memory during ${hostile.length} hostile images`, `${kilobytes(most)}, before ${kilobytes(quiet.resident)}`)
  note('event loop delay: p99, max', `${milliseconds(hurt.p99Ms)}, ${milliseconds(hurt.maxMs)}`)

  // Uploads.
  const pictures = await Promise.all(Array.from({ length: 4 }, async () => makePicture(1_400, 1_200)))
  let sent = 0
  const sendUpTo = async (upTo: number) => {
    while (sent < upTo) {
      await Promise.all(pictures.map(async (picture) => upload(picture)))
      sent += pictures.reduce((total, picture) => total + picture.byteLength, 0)
    }
  }
  await sendUpTo((MEGABYTES / 4) * 1024 * 1024)
  const before = await gateway.process.memory()
  await gateway.process.watchLoop()
  const from = performance.now()
  const sentBefore = sent
  await sendUpTo(MEGABYTES * 1024 * 1024)
  const seconds = (performance.now() - from) / 1_000
  const after = await gateway.process.memory()
  const lag = await gateway.process.readLoop()
  note(
    `${MEGABYTES} MB of uploads of ${kilobytes(pictures[0]?.byteLength ?? 0)} each, re-encoded`,
    `${((sent - sentBefore) / 1e6 / seconds).toFixed(1)} MB/s`,
  )
  note('memory after a quarter of them, after all', `${kilobytes(before.resident)}, ${kilobytes(after.resident)}`)
  note('event loop delay meanwhile: p99, max', `${milliseconds(lag.p99Ms)}, ${milliseconds(lag.maxMs)}`)
}

try {
  await measureLargePictures()
  if (!IS_LARGE_ONLY) await measureTheRest()
} finally {
  await gateway.close()
  await rm(folder, { recursive: true, force: true })
}
console.log(['| what | measured |', '|---|---|', ...rows].join('\n'))
