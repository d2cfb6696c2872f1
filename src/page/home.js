// @ts-check
/*
 * The script of the front page; the browser runs it unbundled. Data enters the page only as text and as checked URLs,
 * never as markup. It is longer than 350 lines because the policy of the page allows exactly one script.
 */
'use strict'

/**
 * A job, with the fields that the page's subscription selects.
 * @typedef {object} Job
 * @property {string} status
 * @property {boolean} done
 * @property {{ status: string, at: string, source: string }[]} timeline
 * @property {{ url: string } | null} result
 * @property {{ message: string } | null} failure
 *
 * The outcome of the mutation: a job, or the reasons why there is none.
 * @typedef {object} Outcome
 * @property {{ id: string }} [job]
 * @property {string} [message]
 * @property {{ path: string[], message: string }[]} [issues]
 *
 * @typedef {{ message: string, extensions?: { code?: string } }} CallError
 * @typedef {'start' | 'watch'} Step an operation of the page
 * @typedef {'target' | 'face'} Slot an image field of the form
 */

/**
 * The element of the page with this id.
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
function find(id, type) {
  const element = document.getElementById(id)
  if (element instanceof type) return element
  throw new TypeError(`The page has no ${type.name} with the id ${id}.`)
}

const ui = {
  form: find('form', HTMLFormElement),
  swap: find('swap', HTMLButtonElement),
  key: find('key', HTMLInputElement),
  keyRow: find('key-row', HTMLElement),
  timeline: find('timeline', HTMLElement),
  status: find('status', HTMLElement),
  clock: find('clock', HTMLElement),
  frame: find('result-frame', HTMLElement),
  result: find('result', HTMLImageElement),
  open: find('open', HTMLAnchorElement),
}

/** @param {Slot} slot */
const findAddress = (slot) => find(`${slot}-url`, HTMLInputElement)
/** @param {Slot} slot */
const findIssue = (slot) => find(`${slot}-issue`, HTMLElement)
/** @param {Slot} slot */
const findPortraits = (slot) =>
  [...document.getElementsByName(`${slot}-portrait`)].filter((element) => element instanceof HTMLInputElement)
/** @param {Step} step */
const readDocument = (step) => find(`${step}-document`, HTMLElement).textContent ?? ''

/** @type {readonly Slot[]} */
const SLOTS = ['target', 'face']
/** @type {Readonly<Record<string, Slot>>} */
const SLOT_OF_INPUT = { targetImage: 'target', swapImage: 'face' }
/**
 * How the gateway learned of a status; by source, or by source and status.
 * @type {Readonly<Record<string, string>>}
 */
const SOURCES = {
  CALLER: 'requested, and recorded',
  'CALLER CANCELED': 'canceled by its owner',
  'SUBMIT ON_QUEUE': 'the upstream accepted it',
  'SUBMIT UNCONFIRMED': 'sent, but the answer was lost',
  'SUBMIT FAILED': 'the upstream did not accept it',
  HOOK: 'reported by its hook',
  RECONCILER: 'found by a poll',
  'RECONCILER LOST': 'no outcome before the deadline',
  FETCH: 'found by a fetch',
}
/** The gateway repeats the state every 30 s, so a stream that is silent for longer than this is dead. */
const SILENT_MS = 40000
const MAX_RETRIES = 3

/** An error that a retry cannot fix. */
class FinalError extends Error {}

let running = false
let lastKey = createKey()
let lastId = 'JOB_ID'

/** Browsers offer `randomUUID` on https and loopback addresses only. */
function createKey() {
  if (typeof crypto.randomUUID === 'function') return crypto.randomUUID()
  return crypto.getRandomValues(new Uint32Array(4)).join('-')
}

/**
 * @param {number} ms
 * @returns {Promise<void>}
 */
function pause(ms) {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}

/** @param {string} url */
function isHttp(url) {
  return /^https?:\/\//i.test(url)
}

/** @param {number} ms */
function toTime(ms) {
  return ms < 10000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`
}

/** @param {string} text @param {boolean} [isBad] */
function showStatus(text, isBad = false) {
  ui.status.textContent = text
  ui.status.className = isBad ? 'bad' : ''
}

function toInput() {
  return {
    targetImage: { url: findAddress('target').value.trim() },
    swapImage: { url: findAddress('face').value.trim() },
    idempotencyKey: lastKey,
  }
}

function describeRequests() {
  describeRequest('start', { input: toInput() }, '')
  describeRequest('watch', { id: lastId }, " -H 'accept: text/event-stream'")
}

/** @param {Step} step @param {object} variables @param {string} header */
function describeRequest(step, variables, header) {
  const query = readDocument(step).replaceAll(/\s+/g, ' ')
  const body = JSON.stringify({ query, variables }).replaceAll("'", String.raw`'\''`)
  find(`${step}-variables`, HTMLElement).textContent = JSON.stringify(variables, null, 2)
  find(`${step}-curl`, HTMLElement).textContent =
    `curl -sN ${location.origin}/graphql${header} -H 'content-type: application/json' -d '${body}'`
}

/** @param {Slot} slot */
function showPreview(slot) {
  const url = findAddress(slot).value.trim()
  const preview = find(`${slot}-preview`, HTMLImageElement)
  for (const radio of findPortraits(slot)) radio.checked = radio.value === url
  preview.hidden = !isHttp(url)
  if (preview.hidden) preview.removeAttribute('src')
  else if (preview.getAttribute('src') !== url) preview.src = url
}

/** @param {Step} step @param {object} variables @param {string} accept @param {AbortSignal} [signal] */
async function send(step, variables, accept, signal) {
  const key = ui.key.value.trim()
  const response = await fetch('/graphql', {
    method: 'POST',
    signal: signal ?? null,
    headers: { 'content-type': 'application/json', accept, ...(key && { authorization: `Bearer ${key}` }) },
    body: JSON.stringify({ query: readDocument(step), variables }),
  })
  if (response.status === 401) ui.keyRow.hidden = false
  return response
}

/**
 * Returns the data of a response.
 * @template T
 * @param {{ data?: T, error?: CallError, errors?: CallError[] }} answer
 * @param {number} status the HTTP status it came with
 * @returns {T}
 * @throws {FinalError} if the call failed and a retry cannot help
 */
function readAnswer({ data, error, errors }, status) {
  const problem = errors?.[0] ?? error
  if (problem?.extensions?.code === 'UNAUTHENTICATED') ui.keyRow.hidden = false
  if (problem && status < 500 && status !== 429) throw new FinalError(problem.message)
  if (problem || data === undefined) throw new Error(problem?.message ?? 'The response has no data.')
  return data
}

/**
 * Starts a swap, with retries. The idempotency key prevents a second swap.
 * @param {object} input
 * @returns {Promise<Outcome>}
 */
async function start(input) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      const response = await send('start', { input }, 'application/json')
      /** @type {{ data?: { createSwap: Outcome } }} */
      const answer = await response.json()
      return readAnswer(answer, response.status).createSwap
    } catch (error) {
      if (error instanceof FinalError || attempt === MAX_RETRIES) throw error
      showStatus('The gateway did not respond. Retrying…')
      await pause(500 * 2 ** attempt)
    }
  }
}

/**
 * Shows each state until the final one. If the stream breaks before that, watches the same job again.
 * @param {string} id
 */
async function watch(id) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      for await (const job of readStates(id)) {
        attempt = 0
        show(job)
        if (job.done) return
      }
    } catch (error) {
      if (error instanceof FinalError) throw error
    }
    showStatus('The connection was lost. Reconnecting…')
    await pause(Math.min(500 * 2 ** attempt, 8000))
  }
}

/**
 * The states of a job, from one event stream.
 * @param {string} id
 * @returns {AsyncGenerator<Job>}
 */
async function* readStates(id) {
  const stream = new AbortController()
  const abort = () => stream.abort()
  let timer = setTimeout(abort, SILENT_MS)
  try {
    const response = await send('watch', { id }, 'text/event-stream', stream.signal)
    const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') ?? false
    if (!isStream) readAnswer(await response.json(), response.status)
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
    if (!isStream || !reader) throw new Error('The response is not a stream.')
    let text = ''
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      clearTimeout(timer)
      timer = setTimeout(abort, SILENT_MS)
      const events = (text + part.value).split(/\r?\n\r?\n/)
      text = events.pop() ?? ''
      for (const event of events) {
        const data = readNext(event)
        if (data) yield readAnswer(data, 200).swapJobUpdated
      }
    }
  } finally {
    clearTimeout(timer)
    // The consumer of the states may stop before the stream ends.
    stream.abort()
  }
}

/**
 * The data of a `next` event; null for other events.
 * @param {string} event
 * @returns {{ data?: { swapJobUpdated: Job } } | null}
 */
function readNext(event) {
  if (!/^event: ?next$/m.test(event)) return null
  const data = event
    .split(/\r?\n/)
    .filter((row) => row.startsWith('data:'))
    .map((row) => row.slice('data:'.length))
    .join('\n')
    .trim()
  return data ? JSON.parse(data) : null
}

/** @param {string} tag @param {string} text */
function toElement(tag, text) {
  return Object.assign(document.createElement(tag), { textContent: text })
}

/** @param {string} word @param {string} className @param {string} [time] @param {string} [how] */
function toEntry(word, className, time = '', how = '') {
  const item = Object.assign(document.createElement('li'), { className })
  item.append(toElement('b', word), toElement('span', time), toElement('small', how))
  return item
}

/** @param {Pick<Job, 'status' | 'done' | 'timeline'>} job */
function showTimeline({ status, done, timeline }) {
  const first = Date.parse(timeline[0]?.at ?? '')
  const past = timeline.map((entry) =>
    toEntry(
      entry.status,
      /^(FAILED|LOST|CANCELED)$/.test(entry.status) ? 'lost' : '',
      toTime(Date.parse(entry.at) - first),
      SOURCES[`${entry.source} ${entry.status}`] ?? SOURCES[entry.source] ?? '',
    ),
  )
  const passed = status === 'PENDING' ? 1 : status ? 2 : 0
  const ahead = done ? [] : ['PENDING', 'ON_QUEUE', 'SUCCESS'].slice(passed)
  ui.timeline.replaceChildren(...past, ...ahead.map((word) => toEntry(word, 'ahead')))
  return toTime(Date.parse(timeline.at(-1)?.at ?? '') - first)
}

/** @param {Job} job */
function show(job) {
  const { status, done, result, failure } = job
  const duration = showTimeline(job)
  if (!done) return showStatus('Waiting for the upstream…')
  const url = result?.url ?? ''
  if (isHttp(url)) {
    ui.result.src = url
    ui.open.href = url
    ui.result.hidden = false
    ui.open.hidden = false
  }
  if (status === 'SUCCESS') showStatus(url ? `Done in ${duration}.` : 'Done, but its links have expired.')
  else showStatus(failure?.message ?? 'The swap ended without an outcome.', true)
}

/** @param {NonNullable<Outcome['issues']>} issues the first of which gets the focus */
function showIssues(issues) {
  for (const { path, message } of issues.toReversed()) {
    const slot = SLOT_OF_INPUT[path[1] ?? '']
    if (slot) {
      findIssue(slot).textContent = message
      findAddress(slot).setAttribute('aria-invalid', 'true')
      findAddress(slot).focus()
    } else showStatus(message, true)
  }
}

async function swap() {
  lastKey = createKey()
  describeRequests()
  for (const slot of SLOTS) {
    findIssue(slot).textContent = ''
    findAddress(slot).setAttribute('aria-invalid', 'false')
  }
  showTimeline({ status: '', done: false, timeline: [] })
  ui.result.hidden = true
  ui.open.hidden = true
  ui.result.classList.remove('stale')
  showStatus('Sending…')
  const { job, message, issues } = await start(toInput())
  if (job) {
    lastId = job.id
    describeRequests()
    return watch(job.id)
  }
  showStatus(issues ? 'The swap was not started. See the messages at the fields.' : (message ?? ''), true)
  showIssues(issues ?? [])
}

/** Runs one swap, and shows on the page that it runs. */
async function run() {
  running = true
  const started = performance.now()
  const ticking = setInterval(() => {
    ui.clock.textContent = `${((performance.now() - started) / 1000).toFixed(1)} s`
  }, 100)
  ui.swap.setAttribute('aria-disabled', 'true')
  ui.frame.classList.add('busy')
  try {
    await swap()
  } catch (error) {
    showStatus(error instanceof FinalError ? error.message : 'The gateway cannot be reached. Is it running?', true)
  }
  clearInterval(ticking)
  ui.clock.textContent = ''
  ui.swap.removeAttribute('aria-disabled')
  ui.frame.classList.remove('busy')
  running = false
}

/** @param {Slot} slot */
function connectSlot(slot) {
  const address = findAddress(slot)
  const changed = () => {
    showPreview(slot)
    describeRequests()
    ui.result.classList.toggle('stale', !running)
  }
  let timer = 0
  address.addEventListener('input', () => {
    clearTimeout(timer)
    timer = setTimeout(changed, 300)
  })
  for (const radio of findPortraits(slot)) {
    radio.addEventListener('change', () => {
      address.value = radio.value
      changed()
    })
  }
  showPreview(slot)
}

/** Hides a picture that cannot be loaded. @param {HTMLImageElement} image */
function hideOnError(image) {
  const hide = () => {
    const choice = image.closest('.choices label')
    if (choice instanceof HTMLElement) choice.hidden = true
    else image.hidden = true
  }
  image.addEventListener('error', hide)
  // It may have failed before this script ran.
  if (image.getAttribute('src') && image.complete && image.naturalWidth === 0) hide()
}

ui.form.addEventListener('submit', (event) => {
  event.preventDefault()
  if (!running) void run()
})
for (const slot of SLOTS) connectSlot(slot)
for (const image of document.images) hideOnError(image)
ui.result.addEventListener('error', () => {
  ui.clock.textContent = 'This browser cannot load the picture.'
})
showTimeline({ status: '', done: false, timeline: [] })
showStatus('Nothing has been sent yet.')
describeRequests()
