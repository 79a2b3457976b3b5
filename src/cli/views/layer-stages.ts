import type {ExtractionEvent, LayerProgress, NamedLayer} from '../../environments/create/image-description.js'
import {formatBytes, formatDuration} from '../format.js'
import {type LeafStage, measurePace} from '../progress.js'

/**
 * Returns a stage for each layer of an image. The first one begins the job, and each ends when its layer is in the store.
 *
 * @param job - Reports the progress of all layers.
 */
export function layerStages(
  layers: readonly NamedLayer[],
  job: (report: (event: {readonly stage: string} | ExtractionEvent) => void) => Promise<void>,
): LeafStage[] {
  const states = new Map(layers.map((layer) => [layer.digest as string, openLayer(layer)]))
  let running: Promise<void> | undefined

  const handle = (event: {readonly stage: string} | ExtractionEvent) => {
    const layersOf = 'layers' in event ? event.layers : undefined
    for (const progress of layersOf ?? []) states.get(progress.digest)?.note(progress)
  }
  return [...states.values()].map(({title, show, ended}, index, all) => ({
    title,
    async run(report) {
      running ??= job(handle)
      show(report)
      // The last one ends with the job, which merges the layers.
      if (index === all.length - 1) await running
      else await Promise.race([ended, running])
    },
  }))
}

function openLayer({digest}: NamedLayer) {
  const pace = measurePace()
  let report: Parameters<LeafStage['run']>[0] = () => {}
  let startedAtMs: number | undefined
  let end = () => {}
  const ended = new Promise<void>((resolve) => {
    end = resolve
  })
  return {
    title: `Layer ${digest.slice(0, 12)}`,
    ended,
    show(to: typeof report) {
      report = to
    },
    note(progress: LayerProgress) {
      if (progress.state !== 'pending') startedAtMs ??= performance.now()
      const rate = pace(progress.readBytes, performance.now())
      report(describeLayer(progress, rate), {startedAtMs, bytes: progress.readBytes})
      if (progress.state === 'done') end()
    },
  }
}

function describeLayer(
  {state, readBytes, totalBytes}: LayerProgress,
  bytesPerSecond: number | undefined,
): string {
  switch (state) {
    case 'pending':
      return `${formatBytes(totalBytes)}, not begun`
    case 'waiting':
      return 'another command unpacks it'
    case 'done':
      return formatBytes(totalBytes)
    case 'active': {
      const left = (totalBytes - readBytes) / (bytesPerSecond ?? 0)
      const rest = Number.isFinite(left) ? `, ${formatDuration(left)} left` : ''
      return `${formatBytes(readBytes)} of ${formatBytes(totalBytes)}${rest}`
    }
  }
}
