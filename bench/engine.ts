/**
 * Measures the cost of a swap: `npx tsx bench/engine.ts` prints a Markdown table, `npx tsx bench/engine.ts loop` swaps
 * 200 times and shows that neither memory nor tensors grow. Each measurement runs in its own process, so that memory is
 * counted separately. The pictures are the project's portraits, enlarged.
 */
import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'

import sharp from 'sharp'

import { openSwapEngine } from '../packages/swapface/src/engine/engine.ts'
import { createSwapper, type SwapTimes } from '../packages/swapface/src/engine/swapper.ts'
import { readPortrait } from '../packages/swapface/src/portraits.ts'

const SIZES = [512, 1024, 4000]
const WARM_UP = 10
const RUNS = 20
const LOOP = 200

const measurements = { stages, lag, loop }

const [command = 'all', folder, size] = process.argv.slice(2)
const measure = Object.entries(measurements).find(([name]) => name === command)?.[1]
if (folder !== undefined && measure !== undefined) {
  const read = (name: string): Promise<Buffer> => readFile(join(folder, `${name}-${size}.jpg`))
  for (const line of await measure(await read('target'), await read('donor'))) console.log(line)
} else {
  await main(command === 'loop')
}

async function main(onlyLoop: boolean): Promise<void> {
  const pictures = await mkdtemp(join(tmpdir(), 'engine-bench-'))
  try {
    const [target, donor] = [await readPortrait('nora'), await readPortrait('kofi')]
    for (const height of SIZES) {
      await writeFile(join(pictures, `target-${height}.jpg`), await enlarge(target, height))
      await writeFile(join(pictures, `donor-${height}.jpg`), await enlarge(donor, height))
    }
    if (onlyLoop) return await runApart('loop', pictures, 512)
    console.log(
      '| longest side | decode | networks | rest of detection | warp, mask, tone, blend | encode | whole swap |',
    )
    console.log('|---|---|---|---|---|---|---|')
    for (const height of SIZES) await runApart('stages', pictures, height)
    console.log('\n| measured at 1024 px | |\n|---|---|')
    await measureMemory(pictures)
    await runApart('lag', pictures, 1024)
  } finally {
    await rm(pictures, { recursive: true })
  }
}

async function enlarge(portrait: Uint8Array, height: number): Promise<Buffer> {
  return sharp(portrait).resize({ height }).jpeg({ quality: 92 }).toBuffer()
}

async function runApart(name: string, pictures: string, height: number): Promise<void> {
  const child = fork(import.meta.filename, [name, pictures, String(height)])
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`The measurement of ${name} failed.`)
}

async function stages(target: Uint8Array, donor: Uint8Array): Promise<string[]> {
  const swapper = await createSwapper({ maxPixels: 50e6, faces: 'largest' })
  const runs: SwapTimes[] = []
  for (let i = 0; i < WARM_UP + RUNS; i++) {
    const { times } = await swapper.swap(target, donor)
    if (i >= WARM_UP) runs.push(times)
  }
  const median = (pick: (times: SwapTimes) => number): string => `${findQuantile(runs.map(pick), 0.5).toFixed(0)} ms`
  const parts = [
    median((times) => times.decodeMs),
    median((times) => times.inferenceMs),
    median((times) => times.findMs),
    median((times) => times.pixelsMs),
    median((times) => times.encodeMs),
    median(findWhole),
  ]
  return [`| ${size} px | ${parts.join(' | ')} |`]
}

function findWhole(times: SwapTimes): number {
  return Object.values(times).reduce((sum: number, part: number) => sum + part, 0)
}

/**
 * Measures the peak memory of a process that only swaps, including its worker. It runs the built program without the
 * TypeScript loader, whose threads would add a third.
 */
async function measureMemory(pictures: string): Promise<void> {
  const root = join(import.meta.dirname, '..')
  await runNode([join(root, 'scripts/build-if-stale.mjs')])
  const engine = pathToFileURL(join(root, 'dist/swapface/engine/engine.js')).href
  const script = `
    import { readFileSync } from 'node:fs'
    import { openSwapEngine } from '${engine}'
    const target = readFileSync('${join(pictures, 'target-1024.jpg')}')
    const donor = readFileSync('${join(pictures, 'donor-1024.jpg')}')
    const engine = openSwapEngine()
    const began = performance.now()
    await engine.swap(target, donor)
    console.log('| first swap, start of the worker included | ' + (performance.now() - began).toFixed(0) + ' ms |')
    for (let i = 0; i < ${RUNS}; i++) await engine.swap(target, donor)
    await engine.close()
    console.log('| peak RSS | ' + (process.resourceUsage().maxRSS / 1024).toFixed(0) + ' MiB |')`
  await runNode(['--input-type=module', '--eval', script])
}

async function runNode(args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, args, { stdio: 'inherit' })
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`node ${args[0]} failed.`)
}

/** Measures the event-loop delay of the thread that requests swaps, idle and during a swap. */
async function lag(target: Uint8Array, donor: Uint8Array): Promise<string[]> {
  const engine = openSwapEngine()
  await engine.swap(target, donor)
  const idle = await watchLag(() => delay(4000))
  const busy = await watchLag(async () => {
    for (let i = 0; i < RUNS; i++) await engine.swap(target, donor)
  })
  await engine.close()
  return [
    `| event loop lag p99, idle | ${idle.toFixed(1)} ms |`,
    `| event loop lag p99, swapping | ${busy.toFixed(1)} ms |`,
  ]
}

async function watchLag(during: () => Promise<void>): Promise<number> {
  const histogram = monitorEventLoopDelay({ resolution: 5 })
  histogram.enable()
  await during()
  histogram.disable()
  return histogram.percentile(99) / 1e6
}

async function loop(target: Uint8Array, donor: Uint8Array): Promise<string[]> {
  const swapper = await createSwapper({ maxPixels: 50e6, faces: 'largest' })
  const rows = ['| swaps | tensors | RSS |', '|---|---|---|']
  for (let i = 1; i <= LOOP; i++) {
    await swapper.swap(target, donor)
    if (i === 1 || i % 40 === 0) {
      rows.push(`| ${i} | ${swapper.models.countTensors()} | ${(process.memoryUsage.rss() / 2 ** 20).toFixed(0)} MiB |`)
    }
  }
  return rows
}

function findQuantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN
}
