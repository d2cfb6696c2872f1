/**
 * The engine's worker thread: handles one request at a time. The engine sends the next request only after the response,
 * so the thread needs no queue.
 */
import { parentPort, workerData } from 'node:worker_threads'

import sharp from 'sharp'

import { SwapRefusal, type SwapRefusalCode } from '../engine-contract.ts'
import type { EncodedImage } from './encode.ts'
import type { OnnxSwapper } from './onnx/onnx-swapper.ts'
import { createSwapper, type Swapper, type SwapperOptions } from './swapper.ts'

export interface WorkerRequest {
  readonly target: Uint8Array<ArrayBuffer>
  readonly donor: Uint8Array<ArrayBuffer>
}

export interface WorkerOptions extends SwapperOptions {
  /** Folder of the operator's own models; null for the built-in ones. */
  readonly modelsDir: string | null
}

/** The result is null for a null request, which only checks whether the models load. */
export type WorkerResponse =
  | { readonly result: EncodedImage | null }
  | { readonly refusal: { readonly code: SwapRefusalCode; readonly message: string; readonly cause?: unknown } }

if (parentPort === null) throw new TypeError('worker.ts must be started as a worker thread.')
const port = parentPort

// No picture is used twice, so a cache would only use memory.
sharp.cache(false)

// Only the engine starts this thread, and it passes exactly these options.
const options: WorkerOptions = workerData
const swapper = openSwapper(options)
// Handled here, so that a failure to load does not end the thread. The first request then gets the reason.
swapper.catch(() => undefined)

port.on('message', (request: WorkerRequest | null) => {
  void handleRequest(request).then((response) => port.postMessage(response))
})

async function openSwapper({ modelsDir, ...own }: WorkerOptions): Promise<Pick<Swapper, 'swap'> | OnnxSwapper> {
  if (modelsDir === null) return createSwapper(own)
  // Loaded only if the operator configured it.
  const { createOnnxSwapper } = await import('./onnx/onnx-swapper.ts')
  return createOnnxSwapper(own, modelsDir)
}

async function handleRequest(request: WorkerRequest | null): Promise<WorkerResponse> {
  try {
    const opened = await swapper
    if (request === null) return { result: null }
    const { image, contentType, width, height } = await opened.swap(request.target, request.donor)
    return { result: { image, contentType, width, height } }
  } catch (error) {
    if (error instanceof SwapRefusal) return { refusal: { code: error.code, message: error.message } }
    const cause = error instanceof Error ? (error.stack ?? error.message) : String(error)
    return {
      refusal: { code: 'ENGINE_FAILED', message: 'The swap failed because of a fault in the face-swap engine.', cause },
    }
  }
}
