/** Why a swap is refused. The last two are faults of the engine; the rest are problems of the images. */
export type SwapRefusalCode =
  | 'FACE_NOT_FOUND'
  | 'IMAGE_TYPE_NOT_ALLOWED'
  | 'IMAGE_NOT_READABLE'
  | 'IMAGE_TOO_LARGE'
  | 'TIMED_OUT'
  | 'ENGINE_FAILED'

/** A failed swap. The message is a sentence for the caller: which image, and why. `cause` must not reach the caller. */
export class SwapRefusal extends Error {
  override readonly name = 'SwapRefusal'
  readonly code: SwapRefusalCode

  constructor(code: SwapRefusalCode, message: string) {
    super(message)
    this.code = code
  }
}

export interface SwapEngine {
  /**
   * Resolves to the target with the donor's face. May be called while another swap is in progress: swaps run one at a
   * time, in call order.
   * @throws {SwapRefusal}
   */
  swap(
    target: Uint8Array,
    donor: Uint8Array,
  ): Promise<{ image: Uint8Array; contentType: 'image/jpeg' | 'image/png'; width: number; height: number }>
  /** Rejects running and waiting swaps with ENGINE_FAILED. */
  close(): Promise<void>
}
