/** Global setup: builds the programs that tests start as separate processes. */
import { execFileSync } from 'node:child_process'
import { bundle } from '../../scripts/bundle.mjs'
import { FAULT_PROGRAM } from '../faults/gateway-process.ts'

export async function setup(): Promise<void> {
  execFileSync(process.execPath, ['scripts/build-if-stale.mjs'], { stdio: 'inherit' })
  await buildFaultProgram()
}

/** Builds the gateway on a fast clock as one file, which the fault tests start hundreds of times. */
export async function buildFaultProgram(): Promise<void> {
  await bundle({
    entryPoints: { [FAULT_PROGRAM.name]: 'test/faults/program.ts' },
    outdir: FAULT_PROGRAM.folder,
    external: ['libsql', 'sharp', 'pg-native', 'swapface-gateway-engine'],
    splitting: true,
  })
}
