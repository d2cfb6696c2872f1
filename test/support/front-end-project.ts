/** Creates front-end projects in their own folders, with the packages of this repository. */
import { spawn } from 'node:child_process'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { closeAfterTest } from './close-after-test.ts'
import { makeDataDir } from './test-app.ts'

/** The executable for this machine. The package's script starts it as a child that outlives the script. */
export const RELAY_COMPILER = createRequire(import.meta.url)('relay-compiler') as string

/** Runs a program in a project. @throws with the program's output if it fails. */
export async function runInProject(project: string, program: string, ...args: string[]): Promise<void> {
  const child = spawn(program, args, { cwd: project, stdio: ['ignore', 'pipe', 'pipe'] })
  const exited = new Promise<number | null>((done) => {
    child.once('exit', done)
  })
  closeAfterTest(async () => {
    child.kill('SIGKILL')
    await exited
  })
  const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), exited])
  if (code !== 0) throw new Error(`${program} ended with ${code}:\n${out}${err}`)
}

/** @param files contents by path in the project. */
export async function openProject(files: Readonly<Record<string, string>>): Promise<string> {
  const project = await makeDataDir()
  await symlink(resolve('node_modules'), join(project, 'node_modules'))
  await mkdir(join(project, 'src', '__generated__'), { recursive: true })
  for (const [name, content] of Object.entries(files)) await writeFile(join(project, name), content)
  return project
}
