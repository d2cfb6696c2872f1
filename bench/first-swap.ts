/**
 * Measures the time from a press of the page's button to the picture, in a new process: `npm run bench -- first-swap`.
 * The page is open for `READS_MS` before the first press, as with a person. Needs Chromium, or another browser in
 * `CHROMIUM`.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { chromium, type Page } from 'playwright-core'
import { findFreePorts, startProgram } from '../test/e2e/program.ts'
import { median } from './realtime/figures.ts'

const PROCESSES = 5
const PRESSES = 4
/** Time that a person reads the page before the first press. */
const READS_MS = 2_000

const browser = await chromium.launch({
  executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
  args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
})
const rounds: number[][] = []
try {
  for (let round = 0; round < PROCESSES; round += 1) rounds.push(await pressInNewProcess())
} finally {
  await browser.close()
}
const medians = Array.from({ length: PRESSES }, (_unused, n) => median(rounds.map((round) => round[n] ?? Number.NaN)))
console.log('| press | ms to the picture, median | of the last press |')
console.log('|---|--:|--:|')
for (const [n, ms] of medians.entries()) {
  console.log(`| ${n + 1} | ${ms.toFixed(0)} | ${(ms / (medians.at(-1) ?? ms)).toFixed(2)} |`)
}
console.log(
  `\nMedians of ${PROCESSES} new processes; the page was open for ${READS_MS / 1_000} s before the first press.`,
)

async function pressInNewProcess(): Promise<number[]> {
  const dataDir = await mkdtemp(join(tmpdir(), 'swapface-first-swap-'))
  const program = await startProgram({ dataDir, ...(await findFreePorts()) })
  const page = await browser.newPage()
  try {
    await page.goto(`${program.url}/`)
    await delay(READS_MS)
    const times: number[] = []
    for (let press = 0; press < PRESSES; press += 1) times.push(await pressSwap(page))
    return times
  } finally {
    await page.close()
    await program.stop()
    await rm(dataDir, { recursive: true, force: true })
  }
}

/** Returns the milliseconds from the press to a new picture. */
async function pressSwap(page: Page): Promise<number> {
  const before = await page.getAttribute('#result', 'src')
  const from = performance.now()
  await page.click('#swap')
  await page.waitForFunction((old) => {
    const image = document.querySelector<HTMLImageElement>('#result')
    return (
      image !== null && !image.hidden && image.getAttribute('src') !== old && image.complete && image.naturalWidth > 0
    )
  }, before)
  return performance.now() - from
}
