/** The series of a Prometheus text: their values by name and labels, as written: `name{label="value"}`. */
export function parseMetrics(text: string): ReadonlyMap<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(' ')
      return [line.slice(0, space), Number(line.slice(space + 1))]
    }),
  )
}

/** Reads the metrics of a gateway. Names are given without the prefix of the gateway's own metrics. */
export async function scrape(metricsUrl: string | null): Promise<(series: string) => number | undefined> {
  if (metricsUrl === null) throw new Error('the gateway has no metrics')
  const response = await fetch(metricsUrl)
  if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`)
  const series = parseMetrics(await response.text())
  return (name) => series.get(`swapface_${name}`)
}
