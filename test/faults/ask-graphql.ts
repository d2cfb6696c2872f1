/** One GraphQL request of a scenario, beside those of its callers. */
export interface GraphqlAnswer {
  readonly errors?: readonly { readonly message: string; readonly extensions?: { readonly code?: string } }[]
  /** As the operation asked for it: the scenario knows its shape. */
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly data: any
}

/** Posts to the gateway's /graphql, on a connection of its own. @throws if the answer is not JSON. */
export async function askGraphql(
  gateway: { readonly url: string },
  query: string,
  variables: object = {},
  headers: Readonly<Record<string, string>> = {},
): Promise<GraphqlAnswer> {
  const response = await fetch(`${gateway.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json', connection: 'close', ...headers },
    body: JSON.stringify({ query, variables }),
  })
  // The server's word; the scenario reads what it asked for.
  return (await response.json()) as GraphqlAnswer
}
