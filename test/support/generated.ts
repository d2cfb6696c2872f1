/** Internal type. DO NOT USE DIRECTLY. */
type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
/** Internal type. DO NOT USE DIRECTLY. */
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
import type { DocumentTypeDecoration } from '@graphql-typed-document-node/core';
export type CreateSwapInput = {
  /** The caller's own reference for the job. At most 255 characters; an empty string counts as absent. */
  clientReference?: string | null | undefined;
  /** URL that receives a signed POST (Standard Webhooks) when the job finishes, retried with the same event id until it returns a 2xx. At most 8192 characters; an empty string counts as absent. */
  hookUrl?: string | null | undefined;
  /** 1 to 255 characters, unique per tenant. The same key with the same input returns the existing job in its current state; with a different input it returns SwapIdempotencyConflictError. Only `waitMs` and `reuseSameContent` may differ. If absent, the `Idempotency-Key` header is used. */
  idempotencyKey?: string | null | undefined;
  /** Days after the end of the job until its images and links are erased (0 to 30); 0 erases them after an hour. */
  keepDays?: number | null | undefined;
  /** Return an existing job, instead of paying again, if the tenant swapped the same two images within the last hour. */
  reuseSameContent?: boolean | null | undefined;
  /** The image that the face is taken from. */
  swapImage: SwapImageInput;
  /** At most 10 tags of at most 64 characters. Empty strings are dropped. */
  tags?: Array<string> | null | undefined;
  /** The image whose face is replaced. */
  targetImage: SwapImageInput;
  /** Wait up to this many milliseconds for the job to finish (0 to 25000). */
  waitMs?: number | null | undefined;
};

export type SwapChargeState =
  /** The upstream charged for the job. */
  | 'CHARGED'
  /** The job was never submitted, or the upstream refused it. */
  | 'NOT_CHARGED'
  /** Not known yet. */
  | 'PENDING'
  /** The outcome was lost, so the charge stays unknown. */
  | 'UNKNOWN';

export type SwapErrorCode =
  | 'BUSY'
  | 'IDEMPOTENCY_KEY_REUSED'
  | 'INVALID_INPUT'
  | 'NOT_FOUND'
  | 'QUOTA_EXCEEDED'
  | 'RATE_LIMITED'
  | 'UPSTREAM_REFUSED'
  | 'UPSTREAM_UNAVAILABLE'
  | 'WRONG_STATE';

export type SwapFailureCode =
  /** Canceled by the caller. */
  | 'CANCELED'
  /** The upstream refused the content of an image. */
  | 'CONTENT_REFUSED'
  /** An image has no usable face. */
  | 'FACE_NOT_FOUND'
  /** The host of an image answered with 401, 402, 403 or 451. */
  | 'IMAGE_ACCESS_DENIED'
  /** The address of an image, or one that it redirects to, is not allowed. */
  | 'IMAGE_ADDRESS_NOT_ALLOWED'
  /** The host of an image could not be reached, or the connection broke off. */
  | 'IMAGE_CONNECTION_FAILED'
  /** The host of an image refused the connection. */
  | 'IMAGE_CONNECTION_REFUSED'
  /** The host of an image answered with another error, or not with valid HTTP. */
  | 'IMAGE_HOST_FAILED'
  /** The host name of an image could not be resolved. */
  | 'IMAGE_HOST_NOT_FOUND'
  /** The host of an image answered with 404 or 410. */
  | 'IMAGE_NOT_FOUND'
  /** An image could not be read: it is damaged, cut short, or the upstream does not say more. */
  | 'IMAGE_NOT_READABLE'
  /** An image did not arrive in time. */
  | 'IMAGE_TIMED_OUT'
  /** No secure connection to an image's host: its certificate or TLS version is not valid. */
  | 'IMAGE_TLS_FAILED'
  /** An image has too many bytes, pixels or frames. */
  | 'IMAGE_TOO_LARGE'
  /** The host of an image redirected too many times. */
  | 'IMAGE_TOO_MANY_REDIRECTS'
  /** The data is not a JPEG, PNG or WebP image. */
  | 'IMAGE_TYPE_NOT_ALLOWED'
  /** The swap could not be submitted before its deadline. */
  | 'NOT_SUBMITTED'
  /** No outcome arrived before the deadline. */
  | 'NO_OUTCOME'
  /** None of the above. */
  | 'OTHER'
  /** The upstream failed. */
  | 'UPSTREAM_FAILED'
  /** The account behind the gateway has no quota. */
  | 'UPSTREAM_QUOTA_EXHAUSTED'
  /** The upstream refused the request. */
  | 'UPSTREAM_REFUSED';

/** An input image; set exactly one field. */
export type SwapImageInput =
  {   /** The id of a job with status SUCCESS, whose result is used as the image. */
  resultOf: string; uploadId?: never; url?: never; }
  |  { resultOf?: never;   /** The id of a finished upload. */
  uploadId: string; url?: never; }
  |  { resultOf?: never; uploadId?: never;   /** A public http(s) URL of a JPEG, PNG or WebP, at most 8192 characters. */
  url: string; };

export type SwapImageKind =
  | 'RESULT'
  | 'UPLOAD'
  | 'URL';

export type SwapInputIssueCode =
  | 'ADDRESS_HAS_BACKSLASH'
  | 'ADDRESS_HAS_CONTROL_CHARACTER'
  | 'ADDRESS_HAS_CREDENTIALS'
  | 'ADDRESS_HAS_SPACE'
  | 'ADDRESS_NOT_ALLOWED'
  | 'DATA_URL_NOT_SUPPORTED'
  | 'EXACTLY_ONE_REQUIRED'
  | 'IMAGE_TOO_LARGE'
  | 'IMAGE_TYPE_NOT_ALLOWED'
  | 'JOB_NOT_SUCCESSFUL'
  | 'NOT_HTTP_URL'
  | 'OUT_OF_RANGE'
  | 'PORT_NOT_ALLOWED'
  | 'REQUIRED'
  | 'SCHEME_NOT_SUPPORTED'
  | 'SCHEME_REQUIRED'
  | 'TOO_LONG'
  | 'TOO_MANY'
  | 'UPLOAD_NOT_READY';

/** Status of a job. ON_QUEUE, SUCCESS and FAILED are the upstream's terms. SUCCESS, FAILED, CANCELED and LOST are final. */
export type SwapJobStatus =
  /** Canceled before it was submitted. */
  | 'CANCELED'
  /** The swap failed; `failure` says why. */
  | 'FAILED'
  /** No outcome arrived before the deadline; whether the upstream charged may be unknown. */
  | 'LOST'
  /** The upstream accepted the job and works on it. */
  | 'ON_QUEUE'
  /** Queued in the gateway. It can be canceled without charge until it is submitted. */
  | 'PENDING'
  /** The swap succeeded; `result` has the image. */
  | 'SUCCESS'
  /** Submitted, but the upstream's answer was lost. It is not submitted again; the job's own hook settles it. */
  | 'UNCONFIRMED';

/** How the gateway learned of a status. */
export type SwapObservationSource =
  /** A call of the tenant. */
  | 'CALLER'
  /** A fetch that a query caused. */
  | 'FETCH'
  /** The upstream's hook, confirmed by a fetch. */
  | 'HOOK'
  /** A scheduled fetch by the gateway, or a deadline that passed. */
  | 'RECONCILER'
  /** The upstream's answer to the submit. */
  | 'SUBMIT';

export type SwapReuse =
  | 'NONE'
  | 'SAME_CONTENT'
  | 'SAME_KEY';

export type CreateSwapMutationVariables = Exact<{
  input: CreateSwapInput;
}>;


export type CreateSwapMutation = { createSwap:
    | { __typename: 'CreateSwapSuccess', reused: SwapReuse, job: { id: string, jobId: string | null, status: SwapJobStatus, done: boolean, version: number, upstreamStatus: string | null, result: { url: string | null, expiresAt: string | null, cdnImage: string | null, discordImage: string | null, linksExpireAt: string | null } | null, failure: { code: SwapFailureCode, message: string, retryable: boolean } | null, charge: { state: SwapChargeState, quota: number | null } } }
    | { __typename: 'SwapBusyError', code: SwapErrorCode, message: string, retryable: boolean, retryAfterMs: number | null }
    | { __typename: 'SwapIdempotencyConflictError', code: SwapErrorCode, message: string, retryable: boolean, retryAfterMs: number | null, job: { id: string } }
    | { __typename: 'SwapInvalidInputError', code: SwapErrorCode, message: string, retryable: boolean, retryAfterMs: number | null, issues: Array<{ path: Array<string>, code: SwapInputIssueCode, message: string }> }
    | { __typename: 'SwapNotFoundError', code: SwapErrorCode, message: string, retryable: boolean, retryAfterMs: number | null }
    | { __typename: 'SwapQuotaExceededError', code: SwapErrorCode, message: string, retryable: boolean, retryAfterMs: number | null }
    | { __typename: 'SwapRateLimitedError', code: SwapErrorCode, message: string, retryable: boolean, retryAfterMs: number | null }
    | { __typename: 'SwapStateError', code: SwapErrorCode, message: string, retryable: boolean, retryAfterMs: number | null }
    | { __typename: 'SwapUpstreamError', code: SwapErrorCode, message: string, retryable: boolean, retryAfterMs: number | null, job: { id: string, jobId: string | null, status: SwapJobStatus, done: boolean, version: number, upstreamStatus: string | null, result: { url: string | null, expiresAt: string | null, cdnImage: string | null, discordImage: string | null, linksExpireAt: string | null } | null, failure: { code: SwapFailureCode, message: string, retryable: boolean } | null, charge: { state: SwapChargeState, quota: number | null } } }
   };

export type JobStateFragment = { id: string, jobId: string | null, status: SwapJobStatus, done: boolean, version: number, upstreamStatus: string | null, result: { url: string | null, expiresAt: string | null, cdnImage: string | null, discordImage: string | null, linksExpireAt: string | null } | null, failure: { code: SwapFailureCode, message: string, retryable: boolean } | null, charge: { state: SwapChargeState, quota: number | null } };

export type SwapJobQueryVariables = Exact<{
  id: string;
  waitMs?: number | null | undefined;
}>;


export type SwapJobQuery = { swapJob: { clientReference: string | null, tags: Array<string>, createdAt: string, updatedAt: string, submittedAt: string | null, finishedAt: string | null, id: string, jobId: string | null, status: SwapJobStatus, done: boolean, version: number, upstreamStatus: string | null, targetImage: { kind: SwapImageKind, url: string | null } | null, swapImage: { kind: SwapImageKind, url: string | null } | null, timeline: Array<{ version: number, status: SwapJobStatus, at: string, source: SwapObservationSource }>, result: { url: string | null, expiresAt: string | null, cdnImage: string | null, discordImage: string | null, linksExpireAt: string | null } | null, failure: { code: SwapFailureCode, message: string, retryable: boolean } | null, charge: { state: SwapChargeState, quota: number | null } } | null };

export type WatchSwapJobSubscriptionVariables = Exact<{
  id: string;
  nonce?: string | null | undefined;
}>;


export type WatchSwapJobSubscription = { swapJobUpdated: { id: string, jobId: string | null, status: SwapJobStatus, done: boolean, version: number, upstreamStatus: string | null, result: { url: string | null, expiresAt: string | null, cdnImage: string | null, discordImage: string | null, linksExpireAt: string | null } | null, failure: { code: SwapFailureCode, message: string, retryable: boolean } | null, charge: { state: SwapChargeState, quota: number | null } } };

export class TypedDocumentString<TResult, TVariables>
  extends String
  implements DocumentTypeDecoration<TResult, TVariables>
{
  __apiType?: NonNullable<DocumentTypeDecoration<TResult, TVariables>['__apiType']>;
  private value: string;
  public __meta__?: Record<string, any> | undefined;

  constructor(value: string, __meta__?: Record<string, any> | undefined) {
    super(value);
    this.value = value;
    this.__meta__ = __meta__;
  }

  override toString(): string & DocumentTypeDecoration<TResult, TVariables> {
    return this.value;
  }
}
export const JobStateFragmentDoc = new TypedDocumentString(`
    fragment JobState on SwapJob {
  id
  jobId
  status
  done
  version
  upstreamStatus
  result {
    url
    expiresAt
    cdnImage
    discordImage
    linksExpireAt
  }
  failure {
    code
    message
    retryable
  }
  charge {
    state
    quota
  }
}
    `, {"fragmentName":"JobState"}) as unknown as TypedDocumentString<JobStateFragment, unknown>;
export const CreateSwapDocument = new TypedDocumentString(`
    mutation CreateSwap($input: CreateSwapInput!) {
  createSwap(input: $input) {
    __typename
    ... on CreateSwapSuccess {
      reused
      job {
        ...JobState
      }
    }
    ... on SwapError {
      code
      message
      retryable
      retryAfterMs
    }
    ... on SwapInvalidInputError {
      issues {
        path
        code
        message
      }
    }
    ... on SwapIdempotencyConflictError {
      job {
        id
      }
    }
    ... on SwapUpstreamError {
      job {
        ...JobState
      }
    }
  }
}
    fragment JobState on SwapJob {
  id
  jobId
  status
  done
  version
  upstreamStatus
  result {
    url
    expiresAt
    cdnImage
    discordImage
    linksExpireAt
  }
  failure {
    code
    message
    retryable
  }
  charge {
    state
    quota
  }
}`) as unknown as TypedDocumentString<CreateSwapMutation, CreateSwapMutationVariables>;
export const SwapJobDocument = new TypedDocumentString(`
    query SwapJob($id: ID!, $waitMs: Int) {
  swapJob(id: $id, waitMs: $waitMs) {
    ...JobState
    targetImage {
      kind
      url
    }
    swapImage {
      kind
      url
    }
    clientReference
    tags
    timeline {
      version
      status
      at
      source
    }
    createdAt
    updatedAt
    submittedAt
    finishedAt
  }
}
    fragment JobState on SwapJob {
  id
  jobId
  status
  done
  version
  upstreamStatus
  result {
    url
    expiresAt
    cdnImage
    discordImage
    linksExpireAt
  }
  failure {
    code
    message
    retryable
  }
  charge {
    state
    quota
  }
}`) as unknown as TypedDocumentString<SwapJobQuery, SwapJobQueryVariables>;
export const WatchSwapJobDocument = new TypedDocumentString(`
    subscription WatchSwapJob($id: ID!, $nonce: String) {
  swapJobUpdated(id: $id, nonce: $nonce) {
    ...JobState
  }
}
    fragment JobState on SwapJob {
  id
  jobId
  status
  done
  version
  upstreamStatus
  result {
    url
    expiresAt
    cdnImage
    discordImage
    linksExpireAt
  }
  failure {
    code
    message
    retryable
  }
  charge {
    state
    quota
  }
}`) as unknown as TypedDocumentString<WatchSwapJobSubscription, WatchSwapJobSubscriptionVariables>;