/** Maximum characters of an address: in the input, in the upstream's answers, in stored links. */
export const MAX_ADDRESS_CHARS = 8_192
