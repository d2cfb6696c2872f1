/** The `code` of an error of the system, a driver or a library: `ENOENT`, `SQLITE_BUSY`; an empty text if it has none. */
export function readErrorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}
