/** The style of the front page. */
export const STYLE = `
:root { --paper: #f5f6f4; --card: #fff; --ink: #1c211f; --soft: #5d6762; --line: #dadfdb; --accent: #1d6f6a; --on-accent: #fff; --warn: #b03a22; --gap: 3rem }
@media (prefers-color-scheme: dark) {
  :root { --paper: #131716; --card: #1b201f; --ink: #e8ece9; --soft: #98a39d; --line: #2f3734; --accent: #74cdbf; --on-accent: #0c1a18; --warn: #f09278 }
}
*, ::before, ::after { box-sizing: border-box; margin: 0 }
[hidden] { display: none !important }
body { background: var(--paper); color: var(--ink); font: 1rem/1.55 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; max-width: 68rem; margin: 0 auto; padding: 1.5rem clamp(1rem, 4vw, 2.5rem) 4rem }
code, pre, .mono { font-family: ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .8125rem }
a { color: var(--accent); text-underline-offset: .2em }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px }
header { display: flex; justify-content: space-between; align-items: baseline; font-size: .9375rem }
h1 { font-size: clamp(1.6rem, 3.6vw, 2.25rem); font-weight: 650; line-height: 1.15; letter-spacing: -.025em; max-width: 28ch; margin: clamp(1.75rem, 4vw, 2.75rem) 0 .75rem; text-wrap: balance }
h2 { font-size: 1rem; font-weight: 650; line-height: 1.3 }
h3 { font-size: .8125rem; font-weight: 500; color: var(--soft); margin: 1rem 0 .25rem }
small, .hint, label, .note { font-size: .8125rem; font-weight: 400; color: var(--soft) }
.lead { max-width: 70ch; color: var(--soft); text-wrap: pretty }
.lead b { color: var(--ink); font-weight: 550 }
.note { margin-top: 1rem }
form { display: grid; grid-template-columns: 1fr 1fr 1fr; gap: var(--gap); margin: 2rem 0; align-items: start }
.slot { display: flex; flex-direction: column; gap: .5rem; min-width: 0 }
.frame { position: relative; aspect-ratio: 1; background: var(--card); border: 1px solid var(--line); border-radius: 10px; display: grid; place-items: center }
.frame img { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; border-radius: 9px }
.frame:not(:has(img:not([hidden]))) { background: none; border-style: dashed; border-color: color-mix(in srgb, var(--soft) 55%, transparent) }
.slot + .slot .frame::before { content: "+"; position: absolute; top: 50%; left: calc(var(--gap) / -2); translate: -50% -54%; font-size: 1.5rem; font-weight: 300; color: var(--soft) }
.result .frame::before { content: "=" !important }
.choices { display: grid; grid-template-columns: repeat(auto-fill, minmax(2.75rem, 1fr)); gap: .5rem }
.choices label { position: relative; display: block; aspect-ratio: 1 }
.choices input { position: absolute; inset: 0; width: 100%; height: 100%; opacity: 0; cursor: pointer; z-index: 1 }
.choices img { width: 100%; height: 100%; object-fit: cover; border-radius: 7px; display: block }
.choices input:hover + img { box-shadow: 0 0 0 2px var(--paper), 0 0 0 4px var(--line) }
.choices input:checked + img { box-shadow: 0 0 0 2px var(--paper), 0 0 0 4px var(--accent) }
.choices input:focus-visible + img { outline: 3px solid var(--ink); outline-offset: 4px }
input:not([type=radio]) { width: 100%; font: inherit; font-size: .875rem; padding: .5rem .65rem; color: inherit; background: var(--card); border: 1px solid var(--line); border-radius: 7px }
input[aria-invalid=true] { border-color: var(--warn) }
.issue, .bad { color: var(--warn); font-size: .875rem; line-height: 1.4 }
.issue:empty { display: none }
#swap { font: inherit; font-weight: 600; padding: .7rem 1rem; margin-top: .25rem; color: var(--on-accent); background: var(--accent); border: 0; border-radius: 7px; cursor: pointer }
#swap:hover { filter: brightness(1.07) }
#swap[aria-disabled=true] { opacity: .55; cursor: progress }
#clock { font-variant-numeric: tabular-nums }
.busy { animation: breathe 1.6s ease-in-out infinite alternate }
#result { animation: appear .35s }
.stale { opacity: .35 }
@keyframes breathe { to { border-color: var(--accent) } }
@keyframes appear { from { opacity: 0 } }
#timeline { list-style: none; padding: 0; margin-top: .5rem }
#timeline li { position: relative; padding: 0 0 .6rem 1.4rem; display: flex; flex-wrap: wrap; justify-content: space-between; font-size: .8125rem; line-height: 1.45; color: var(--soft); font-variant-numeric: tabular-nums }
#timeline li::before { content: ""; position: absolute; top: .25rem; left: 0; width: .7rem; height: .7rem; border-radius: 50%; background: var(--accent) }
#timeline li:not(:last-child)::after { content: ""; position: absolute; top: 1.15rem; bottom: -.05rem; left: .3rem; border-left: 1.5px solid var(--line) }
#timeline b { color: var(--ink); font-weight: 600 }
#timeline small { flex-basis: 100%; display: block }
#timeline .ahead b { color: var(--soft); font-weight: 400 }
#timeline .ahead::before { background: none; border: 1.5px solid var(--soft) }
#timeline .lost::before { background: var(--warn) }
#timeline + p { font-size: .9375rem; line-height: 1.45 }
details { border-top: 1px solid var(--line); padding-top: 1rem }
summary { cursor: pointer; color: var(--accent); width: fit-content }
.steps { display: grid; grid-template-columns: 1fr 1fr; gap: 2rem; margin-top: 1.25rem }
.steps section { min-width: 0 }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 7px; padding: .75rem .9rem; margin-top: .4rem; line-height: 1.5; white-space: pre-wrap; overflow-wrap: anywhere }
@media (max-width: 46rem) {
  :root { --gap: 1.75rem }
  form { grid-template-columns: 1fr 1fr }
  .result { grid-column: 1 / -1 }
  .result .frame::before { content: none !important }
  .result #swap { order: -1; margin: 0 0 1rem }
  .steps { grid-template-columns: 1fr }
  small { display: block }
  .choices { grid-template-columns: repeat(auto-fill, minmax(2.2rem, 1fr)); gap: .4rem }
}
@media (prefers-reduced-motion: reduce) { * { animation: none !important; transition: none !important } }
`
