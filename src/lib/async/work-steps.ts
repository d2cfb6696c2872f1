/** Long loops over bytes, cut into steps of about a millisecond, so that the event loop runs between them. */
const STEP_BYTES = 256 * 1_024

export class WorkSteps {
  #left = STEP_BYTES

  /** Counts work that was done. @returns true at the end of a step: the caller then waits for the next turn of the event loop. */
  isOver(bytes: number): boolean {
    this.#left -= bytes
    if (this.#left > 0) return false
    this.#left = STEP_BYTES
    return true
  }
}
