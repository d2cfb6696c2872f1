/** Cuts long loops over bytes into steps of about a millisecond, so that the event loop runs between them. */
const STEP_BYTES = 256 * 1_024

export class WorkSteps {
  #left = STEP_BYTES

  /** Counts finished work. @returns true at the end of a step: the caller then yields to the event loop. */
  isOver(bytes: number): boolean {
    this.#left -= bytes
    if (this.#left > 0) return false
    this.#left = STEP_BYTES
    return true
  }
}
