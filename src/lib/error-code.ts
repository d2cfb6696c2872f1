/** Returns the `code` of a system, driver or library error, such as `ENOENT` or `SQLITE_BUSY`; `''` if it has none. */
export function readErrorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}
