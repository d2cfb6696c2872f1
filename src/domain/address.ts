/** Maximum characters of an address: in the input, in the upstream's responses, in stored links. */
export const MAX_ADDRESS_CHARS = 8_192
