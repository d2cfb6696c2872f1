/** Downloads results while their links work. */
export interface ResultSource {
  /**
   * Downloads one result, within limits of time and size.
   * @param onLength called with the number of bytes, if the host announces it before they arrive.
   * @throws {ResultUnavailableError}
   */
  download(link: string, onLength: (byteLength: number) => void): Promise<Uint8Array>
}

/** The message is a predicate without a full stop: "could not be downloaded: …". */
export class ResultUnavailableError extends Error {
  /** For logs, from a closed set. */
  readonly code: string
  /** Whether another attempt may succeed. */
  readonly isTransient: boolean

  constructor(code: string, predicate: string, isTransient: boolean) {
    super(predicate)
    this.code = code
    this.name = 'ResultUnavailableError'
    this.isTransient = isTransient
  }
}
