/** What is known of fields beyond the schema: on what their answers depend. */

/**
 * Fields that are answered from what is stored alone, by their types; addresses among them work for long enough. Those of
 * a job that is done stay as they are. `swapJob` may ask the upstream for one that is not.
 */
const STORED: Readonly<Record<string, ReadonlySet<string>>> = {
  Query: words('swapJob swapJobs'),
  SwapJobConnection: words('edges nodes pageInfo totalCount'),
  SwapJobEdge: words('cursor node'),
  PageInfo: words('hasNextPage hasPreviousPage startCursor endCursor'),
  SwapJob: words(
    'id jobId status done version upstreamStatus failure charge clientReference tags timeline createdAt updatedAt submittedAt finishedAt result',
  ),
  SwapFailure: words('code message retryable'),
  SwapCharge: words('state quota'),
  SwapTimelineEntry: words('version status at source'),
  SwapResult: words('url expiresAt cdnImage discordImage linksExpireAt copy copyFailure provenance'),
  SwapProvenance: words('digitalSourceType'),
  SwapResultCopy: words('url contentType width height byteLength sha256'),
}

export function isStored(type: string, field: string): boolean {
  return STORED[type]?.has(field) === true
}

/** Whether a job that is not done has the answer in itself: no clock, no other row. It has no result before its end. */
export function isOfJobAlone(field: string): boolean {
  return field === '__typename' || (field !== 'timeline' && isStored('SwapJob', field))
}

function words(text: string): ReadonlySet<string> {
  return new Set(text.split(' '))
}
