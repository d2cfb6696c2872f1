/** Sends a GraphQL request of a scenario, apart from those of its callers. */
export interface GraphqlResponse {
  readonly errors?: readonly { readonly message: string; readonly extensions?: { readonly code?: string } }[]
  /** Untyped: the scenario knows the shape of its own operation. */
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly data: any
}

/** Posts to the gateway's /graphql on a new connection. @throws if the response is not JSON. */
export async function askGraphql(
  gateway: { readonly url: string },
  query: string,
  variables: object = {},
  headers: Readonly<Record<string, string>> = {},
): Promise<GraphqlResponse> {
  const response = await fetch(`${gateway.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json', connection: 'close', ...headers },
    body: JSON.stringify({ query, variables }),
  })
  // Unchecked: the scenario reads only the fields that it selected.
  return (await response.json()) as GraphqlResponse
}
