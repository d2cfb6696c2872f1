/**
 * The script of the front page; runs in the browser as it stands here. Data reaches the page as text and as checked
 * addresses only, never as markup.
 */
export const SCRIPT = String.raw`
'use strict'
const $ = (id) => document.getElementById(id)
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const isHttp = (url) => /^https?:\/\//i.test(url)
const toTime = (ms) => (ms < 10000 ? Math.round(ms) + ' ms' : (ms / 1000).toFixed(1) + ' s')
const SLOTS = { targetImage: 'target', swapImage: 'face' }
const SOURCES = { CALLER: 'asked for, and recorded', SUBMIT: 'the upstream took it', HOOK: 'told by its hook', RECONCILER: 'found by a check', FETCH: 'found by a fetch' }
/** Yoga sends a comment every 12 s: a stream that is silent for longer than this is dead. */
const SILENT_MS = 40000

// Browsers have randomUUID on https and loopback addresses only.
const createKey = () => crypto.randomUUID?.() ?? crypto.getRandomValues(new Uint32Array(4)).join('-')

let running = false
let lastKey = createKey()
let lastId = 'JOB_ID'

function say(text, isBad = false) {
  $('status').textContent = text
  $('status').className = isBad ? 'bad' : ''
}

function toInput() {
  return { targetImage: { url: $('target-url').value.trim() }, swapImage: { url: $('face-url').value.trim() }, idempotencyKey: lastKey }
}

function describeRequests() {
  const steps = [['start', { input: toInput() }, ''], ['watch', { id: lastId }, " -H 'accept: text/event-stream'"]]
  for (const [step, variables, header] of steps) {
    const query = $(step + '-document').textContent.replace(/\s+/g, ' ')
    const body = JSON.stringify({ query, variables }).replaceAll("'", "'\\''")
    $(step + '-variables').textContent = JSON.stringify(variables, null, 2)
    $(step + '-curl').textContent = 'curl -sN ' + location.origin + '/graphql' + header + " -H 'content-type: application/json' -d '" + body + "'"
  }
}

function showPreview(slot) {
  const url = $(slot + '-url').value.trim()
  const preview = $(slot + '-preview')
  for (const radio of document.getElementsByName(slot + '-portrait')) radio.checked = radio.value === url
  preview.hidden = !isHttp(url)
  if (preview.hidden) preview.removeAttribute('src')
  else if (preview.getAttribute('src') !== url) preview.src = url
}

async function send(step, variables, accept, signal) {
  const key = $('key').value.trim()
  const response = await fetch('/graphql', {
    method: 'POST',
    signal,
    headers: { 'content-type': 'application/json', accept, ...(key && { authorization: 'Bearer ' + key }) },
    body: JSON.stringify({ query: $(step + '-document').textContent, variables }),
  })
  if (response.status === 401) $('key-row').hidden = false
  return response
}

/** What a call gave, or its error in words; an error that another try may mend has retryable set. */
function readAnswer(answer, status) {
  const error = answer.errors?.[0] ?? answer.error
  if (!error) return answer.data
  if (error.extensions?.code === 'UNAUTHENTICATED') $('key-row').hidden = false
  throw Object.assign(new Error(error.message), { isFinal: status < 500 && status !== 429 })
}

/** The same key makes it one swap, however often it is sent. */
async function start(input) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      const response = await send('start', { input }, 'application/json')
      return readAnswer(await response.json(), response.status).createSwap
    } catch (error) {
      if (error.isFinal || attempt === 3) throw error
      say('The gateway did not answer. Sending the same again…')
      await pause(500 * 2 ** attempt)
    }
  }
}

/** Shows each state until the final one; asks again for the same job where the stream is cut before it. */
async function watch(id) {
  for (let attempt = 0; ; attempt += 1) {
    const line = new AbortController()
    let timer = setTimeout(() => line.abort(), SILENT_MS)
    try {
      const response = await send('watch', { id }, 'text/event-stream', line.signal)
      if (!response.headers.get('content-type')?.startsWith('text/event-stream')) readAnswer(await response.json(), response.status)
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
      for (let text = '', part = await reader.read(); !part.done; part = await reader.read()) {
        clearTimeout(timer)
        timer = setTimeout(() => line.abort(), SILENT_MS)
        const events = (text + part.value).split(/\r?\n\r?\n/)
        text = events.pop()
        for (const event of events) {
          const data = event.split(/\r?\n/).filter((row) => row.startsWith('data:')).map((row) => row.slice(5)).join('\n').trim()
          if (!/^event: ?next$/m.test(event) || !data) continue
          const job = readAnswer(JSON.parse(data), 200).swapJobUpdated
          attempt = 0
          show(job)
          if (job.done) return
        }
      }
    } catch (error) {
      if (error.isFinal) throw error
    } finally {
      clearTimeout(timer)
    }
    say('The line was cut. Watching the same job again…')
    await pause(Math.min(500 * 2 ** attempt, 8000))
  }
}

function show({ status, done, timeline, result, failure }) {
  const first = Date.parse(timeline[0]?.at)
  const toElement = (tag, text) => Object.assign(document.createElement(tag), { textContent: text })
  const toStep = (word, className, time = '', how = '') => {
    const item = Object.assign(document.createElement('li'), { className })
    item.append(toElement('b', word), toElement('span', time), toElement('small', how))
    return item
  }
  const past = timeline.map((entry) => toStep(entry.status, /^(FAILED|LOST|CANCELED)$/.test(entry.status) ? 'lost' : '', toTime(Date.parse(entry.at) - first), SOURCES[entry.source] ?? ''))
  const ahead = done ? [] : ['PENDING', 'ON_QUEUE', 'SUCCESS'].slice(status ? (status === 'PENDING' ? 1 : 2) : 0)
  $('timeline').replaceChildren(...past, ...ahead.map((word) => toStep(word, 'ahead')))
  if (!done) return say('Waiting for the upstream…')
  const url = result?.url ?? ''
  if (isHttp(url)) {
    $('result').src = $('open').href = url
    $('result').hidden = $('open').hidden = false
  }
  if (status === 'SUCCESS') say(url ? 'Done in ' + toTime(Date.parse(timeline.at(-1).at) - first) + '.' : 'Done, but its links have ended.')
  else say(failure?.message ?? 'There is no outcome.', true)
}

async function swap() {
  lastKey = createKey()
  describeRequests()
  for (const slot of Object.values(SLOTS)) {
    $(slot + '-issue').textContent = ''
    $(slot + '-url').setAttribute('aria-invalid', 'false')
  }
  show({ status: '', timeline: [] })
  $('result').hidden = $('open').hidden = true
  $('result').classList.remove('stale')
  say('Sending…')
  const outcome = await start(toInput())
  const job = outcome.job
  if (job) {
    lastId = job.id
    describeRequests()
    return watch(job.id)
  }
  say(outcome.issues ? 'Nothing was sent: see beside the fields.' : outcome.message, true)
  for (const { path, message } of outcome.issues?.toReversed() ?? []) {
    const slot = SLOTS[path[1]]
    if (!slot) { say(message, true); continue }
    $(slot + '-issue').textContent = message
    $(slot + '-url').setAttribute('aria-invalid', 'true')
    $(slot + '-url').focus()
  }
}

$('form').addEventListener('submit', async (event) => {
  event.preventDefault()
  if (running) return
  running = true
  const started = performance.now()
  const clock = setInterval(() => { $('clock').textContent = ((performance.now() - started) / 1000).toFixed(1) + ' s' }, 100)
  $('swap').setAttribute('aria-disabled', 'true')
  $('result-frame').classList.add('busy')
  try {
    await swap()
  } catch (error) {
    say(error.isFinal ? error.message : 'The gateway cannot be reached. Is it running?', true)
  }
  clearInterval(clock)
  $('clock').textContent = ''
  $('swap').removeAttribute('aria-disabled')
  $('result-frame').classList.remove('busy')
  running = false
})

for (const slot of Object.values(SLOTS)) {
  const changed = () => {
    showPreview(slot)
    describeRequests()
    $('result').classList.toggle('stale', !running)
  }
  let timer
  $(slot + '-url').addEventListener('input', () => { clearTimeout(timer); timer = setTimeout(changed, 300) })
  for (const radio of document.getElementsByName(slot + '-portrait')) {
    radio.addEventListener('change', () => { $(slot + '-url').value = radio.value; changed() })
  }
  showPreview(slot)
}
for (const image of document.images) {
  const fail = () => { (image.closest('.choices label') ?? image).hidden = true }
  image.addEventListener('error', fail)
  // It may have failed before this script ran.
  if (image.getAttribute('src') && image.complete && image.naturalWidth === 0) fail()
}
$('result').addEventListener('error', () => { $('clock').textContent = 'This browser cannot load the picture.' })
show({ status: '', timeline: [] })
say('Nothing is sent yet.')
describeRequests()
`
