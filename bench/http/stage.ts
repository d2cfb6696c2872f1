/** Starts limits and peers, each as a separate process with the same setup file. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FAKE_KEY } from '../../test/support/fake-upstream.ts'
import { type MeasuredProcess, startProcess } from '../realtime/process.ts'
import type { Answer } from './ask.ts'
import type { ShownJob } from './bench-jobs.ts'

/** Files below `http/peers/`, by name. */
export const PEERS = {
  'Yoga (defaults)': 'yoga',
  'Apollo 5 (Fastify)': 'apollo',
  'Mercurius + JIT': 'mercurius',
} as const
/** As in the container image. The peers are also faster with it. */
export const ENVIRONMENT = { NODE_ENV: 'production' }

/** As `setup.mjs` describes it. */
export interface Setup {
  readonly jobs?: readonly ShownJob[]
  readonly answer?: Answer
  readonly upstreamUrl: string
  readonly hookUrl?: string | undefined
}

export interface Stage {
  /** Tells a contender where its setup file is. */
  readonly environment: Readonly<Record<string, string>>
  /**
   * @param file below `bench/`, without its extension.
   * @param over changes to its setup.
   */
  start(file: string, over?: Partial<Setup>): Promise<MeasuredProcess>
  close(): Promise<void>
}

export async function openStage(setup: Setup): Promise<Stage> {
  const folder = await mkdtemp(join(tmpdir(), 'swapface-stage-'))
  const databaseFile = join(folder, 'limit.db')
  let written = 0
  const write = async (over: Partial<Setup>) => {
    written += 1
    const setupFile = join(folder, `setup-${written}.json`)
    const whole = { jobs: [], ...setup, ...over, upstreamKey: FAKE_KEY, databaseFile }
    await writeFile(setupFile, JSON.stringify(whole))
    return { ...ENVIRONMENT, SETUP_FILE: setupFile }
  }
  const environment = await write({})
  const running: MeasuredProcess[] = []
  return {
    environment,
    start: async (file, over) => {
      const server = await startProcess(`bench/${file}.mjs`, over ? await write(over) : environment)
      running.push(server)
      return server
    },
    close: async () => {
      await Promise.all(running.filter((one) => one.isAlive()).map(async (one) => one.stop('SIGKILL')))
      await rm(folder, { recursive: true, force: true })
    },
  }
}
