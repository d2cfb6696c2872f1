/** Child processes of the benchmark, which handle one message at a time. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'

export interface Child {
  ask<T>(message: object): Promise<T>
  readonly pid: number
  stop(): Promise<void>
}

/** @param file in this folder. */
export function startChild(file: string, args: readonly string[]): Child {
  const child: ChildProcess = fork(new URL(file, import.meta.url), args, { execArgv: ['--import', 'tsx'] })
  const ended = once(child, 'exit')
  return {
    pid: child.pid ?? 0,
    ask: async <T>(message: object) => {
      const answered = once(child, 'message')
      child.send(message)
      const [answer] = (await Promise.race([answered, ended])) as unknown[]
      if (typeof answer !== 'object') throw new Error(`${file} ended`)
      // This benchmark sends the messages itself.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      return answer as T
    },
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** In the child: replies to each message with the result of `act`. */
export function handleMessages(act: (message: unknown) => Promise<object>): void {
  process.on('message', (message) => {
    void act(message).then((answer) => process.send?.(answer))
  })
  process.on('disconnect', () => process.exit())
}

/** Reads a member of a message. */
export function readMember(message: unknown, name: string): unknown {
  return Reflect.get(Object(message), name)
}
