/** Where results are downloaded from while their links work. */
export interface ResultSource {
  /**
   * Everything behind the link, within its limits.
   * @throws {ResultUnavailable} in words of ours.
   */
  download(link: string): Promise<Uint8Array>
}

export class ResultUnavailable extends Error {
  /** Whether another try may do. */
  readonly isTransient: boolean

  constructor(reason: string, isTransient: boolean) {
    super(reason)
    this.name = 'ResultUnavailable'
    this.isTransient = isTransient
  }
}
