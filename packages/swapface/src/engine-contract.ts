/** Why a swap is refused. The last two are faults of the engine, the others of the pictures. */
export type SwapRefusalCode =
  | 'FACE_NOT_FOUND'
  | 'IMAGE_TYPE_NOT_ALLOWED'
  | 'IMAGE_NOT_READABLE'
  | 'IMAGE_TOO_LARGE'
  | 'TIMED_OUT'
  | 'ENGINE_FAILED'

/** A swap that came to nothing. The message is a sentence for the caller: which picture, and why. `cause` is not for them. */
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
   * Resolves to the target with the donor's face. May be called while another swap is under way: swaps are done one
   * after the other, in the order of the calls.
   * @throws {SwapRefusal}
   */
  swap(
    target: Uint8Array,
    donor: Uint8Array,
  ): Promise<{ image: Uint8Array; contentType: 'image/jpeg' | 'image/png'; width: number; height: number }>
  /** Ends swaps under way and waiting with ENGINE_FAILED. */
  close(): Promise<void>
}
