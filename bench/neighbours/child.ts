/** Programs of the benchmark that have a process of their own, and answer one message at a time. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'

export interface Child {
  ask<T>(message: object): Promise<T>
  readonly pid: number
  stop(): Promise<void>
}

/** @param file beside this one. */
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
      // Both ends are of this benchmark.
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

/** Called in the child: answers each message with what `act` resolves to. */
export function answerMessages(act: (message: unknown) => Promise<object>): void {
  process.on('message', (message) => {
    void act(message).then((answer) => process.send?.(answer))
  })
  process.on('disconnect', () => process.exit())
}

/** A member of a message. */
export function readMember(message: unknown, name: string): unknown {
  return Reflect.get(Object(message), name)
}
