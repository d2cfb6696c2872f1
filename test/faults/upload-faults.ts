/** Faults during uploads: the stored bytes and their row agree after each of them. */
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { sha256 } from '../../src/lib/crypto/sha256.ts'
import { withRawDatabase } from '../support/raw-database.ts'
import { askGraphql } from './ask-graphql.ts'
import { type Gateway, isProcess } from './gateway-process.ts'
import { type Rig, withRig, withSharedRig } from './rig.ts'
import { type Scenario, toResult } from './scenario.ts'
import { limitFileSize, mountSmallDisk, unmountSmallDisk } from './small-disk.ts'
import { settleAndTime } from './wire-faults.ts'

const RESERVE = `mutation ($byteLength: Int!) {
  createSwapUpload(input: { contentType: IMAGE_PNG, byteLength: $byteLength }) {
    ... on CreateSwapUploadSuccess { upload { id } put { url } }
  }
}`

interface Reserved {
  readonly id: string
  readonly url: string
}

const [WIDTH, HEIGHT] = [64, 48]

/** Makes a PNG of noise; all of them have the same length. */
async function makePng(): Promise<Buffer> {
  const pixels = Buffer.from(Array.from({ length: WIDTH * HEIGHT * 3 }, () => Math.floor(Math.random() * 256)))
  return sharp(pixels, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } })
    .png({ compressionLevel: 0 })
    .toBuffer()
}

async function reserve({ gateway }: Rig<Gateway>, byteLength: number): Promise<Reserved | null> {
  const { data } = await askGraphql(gateway, RESERVE, { byteLength })
  const made = data?.createSwapUpload
  return made ? { id: String(made.upload.id), url: String(made.put.url) } : null
}

async function put({ url }: Reserved, bytes: Buffer) {
  const response = await fetch(url, { method: 'PUT', body: new Uint8Array(bytes) })
  return { status: response.status, text: await response.text() }
}

interface StoredUpload {
  readonly status: string
  readonly name: string | null
  readonly source: string | null
}

async function readUpload({ databaseUrl }: Rig<Gateway>, id: string): Promise<StoredUpload | undefined> {
  const statement = `select status, sha256 as name, source_sha256 as source from images where id = '${id}'`
  const rows = await withRawDatabase(databaseUrl, async (database) => database.query(statement))
  // The statement names the columns of the row.
  return (rows as StoredUpload[])[0]
}

/** Lists the files of the upload on disk. */
function listFiles(folder: string, id: string): string[] {
  return readdirSync(folder).includes(id) ? readdirSync(join(folder, id)) : []
}

/** Finds a contradiction of a READY upload between its row, its file, the served image and the sent bytes. */
async function findContradiction(
  rig: Rig<Gateway>,
  folder: string,
  { id }: Reserved,
  given: readonly Buffer[],
): Promise<string | false> {
  const row = await readUpload(rig, id)
  if (row?.status !== 'READY') return `${id} is ${row?.status}`
  const source = given.find((bytes) => sha256(bytes) === row.source)
  if (!source) return `${id} has the digest of no file that was put`
  const files = listFiles(folder, id)
  if (files.length !== 1 || files[0] !== row.name) return `${id} is ${row.name}, its files are ${files.join()}`
  const response = await fetch(`${rig.gateway.url}/images/${id}.png`)
  const served = Buffer.from(await response.arrayBuffer())
  if (sha256(served) !== row.name) return `${id} is ${row.name}, another file is served (${response.status})`
  const [pixels, wanted] = await Promise.all(
    [served, source].map((bytes) => sharp(bytes).removeAlpha().raw().toBuffer()),
  )
  return !(pixels && wanted?.equals(pixels)) && `the picture of ${id} is not the one that its row describes`
}

const twoPuts: Scenario = {
  name: 'two concurrent PUTs of one upload',
  times: { short: 2, long: 60 },
  run: (times) =>
    withSharedRig({}, async (rig) => {
      const folder = join(rig.dataDir, 'images')
      const complaints: (string | false)[] = []
      rig.requestSwaps(2)
      for (let round = 0; round < times; round += 1) {
        const [one, other] = [await makePng(), await makePng()]
        const upload = await reserve(rig, one.byteLength)
        if (!upload) throw new Error('no upload was reserved')
        const answers = await Promise.all([put(upload, one), put(upload, other)])
        const [first, second] = answers
        complaints.push(
          answers.some(({ status }) => status !== 200) && `the responses are ${JSON.stringify(answers)}`,
          first.text !== second.text && 'the two PUTs got different responses',
          await findContradiction(rig, folder, upload, [one, other]),
        )
      }
      const recoveriesMs = await settleAndTime(rig)
      return toResult(await rig.check(), { injected: times, recoveriesMs }, ...complaints)
    }),
}

/** A few megabytes more than the gateway's disk reserve. */
const DISK = '503m'
const BALLAST = Buffer.alloc(8 * 1_024 * 1_024)

const diskFilled: Scenario = {
  name: 'the disk fills up between the reservation of an upload and its PUT',
  times: { short: 1, long: 10 },
  run: async (times) => {
    const disk = mountSmallDisk(DISK)
    try {
      const options = disk === null ? {} : { settings: { BLOB_URL: `file:${disk}/images` } }
      const open = disk === null ? withRig : withSharedRig
      return await open(options, async (rig: Rig<Gateway>) => {
        const folder = join(disk ?? rig.dataDir, 'images')
        const ballast = join(disk ?? rig.dataDir, 'ballast')
        const setFull = (isFull: boolean) => {
          if (isProcess(rig.gateway) && disk === null) limitFileSize(rig.gateway.pid, isFull ? '1' : 'unlimited')
          else if (isFull) writeFileSync(ballast, BALLAST)
          else rmSync(ballast)
        }
        const complaints: (string | false)[] = []
        const recoveriesMs: number[] = []
        for (let round = 0; round < times; round += 1) {
          const bytes = await makePng()
          const upload = await reserve(rig, bytes.byteLength)
          if (!upload) throw new Error('no upload was reserved')
          setFull(true)
          const full = await put(upload, bytes)
          const row = await readUpload(rig, upload.id)
          const files = listFiles(folder, upload.id)
          const another = disk === null ? null : await reserve(rig, bytes.byteLength)
          setFull(false)
          const from = performance.now()
          const again = [await put(upload, bytes), await put(upload, bytes)]
          recoveriesMs.push(performance.now() - from)
          // Swaps must go on at the same time.
          rig.requestSwaps(1)
          complaints.push(
            full.status < 500 && `a PUT to a full disk got ${full.status}`,
            disk !== null && full.status !== 503 && `a PUT to a full disk got ${full.status}, not 503`,
            row?.status !== 'AWAITING_BYTES' && `an upload whose bytes were refused is ${row?.status}`,
            files.length > 0 && `bytes that were refused left ${files.join()}`,
            another !== null && 'an upload was reserved on a full disk',
            again.some(({ status }) => status !== 200) && `the next PUTs got ${JSON.stringify(again)}`,
            await findContradiction(rig, folder, upload, [bytes]),
          )
        }
        await rig.settle()
        const note = disk === null ? 'files may not grow (RLIMIT_FSIZE)' : 'a tmpfs'
        return toResult(await rig.check(), { injected: times, recoveriesMs, note }, ...complaints)
      })
    } finally {
      if (disk !== null) unmountSmallDisk(disk)
    }
  },
}

export const uploadFaults: readonly Scenario[] = [twoPuts, diskFilled]
