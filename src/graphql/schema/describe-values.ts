/** Enum values with their descriptions; the type requires a description of every value. */
export function describeValues<const Value extends string>(
  values: readonly Value[],
  descriptions: Readonly<Record<Value, string>>,
): { [V in Value]: { description: string } } {
  // Object.fromEntries loses the type of the keys.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return Object.fromEntries(values.map((value) => [value, { description: descriptions[value] }])) as {
    [V in Value]: { description: string }
  }
}
