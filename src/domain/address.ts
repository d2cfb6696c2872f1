/** Characters that an address may have, everywhere: in the input, in the upstream's answers, in stored links. */
export const MAX_ADDRESS_CHARS = 8_192
