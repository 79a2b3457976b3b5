import type {ImageAcquisition} from '../../environments/create/image-acquisition.js'
import type {ExtractionEvent} from '../../environments/create/image-description.js'
import type {ResolveHooks} from '../../environments/create/wanted-image.js'
import type {Stage} from '../progress.js'
import {type KeepingEvent, noting} from './creation.js'
import {imageStages} from './image-stages.js'

type FetchingHooks = Pick<ResolveHooks, 'onResolved'> & {
  /** Called for each event of a download or a build. */
  readonly onDownload: (event: KeepingEvent) => void
  /** Called if an image is built because no server was reachable. */
  readonly onUnreachable: () => void
  /** Whether the image is looked up alone. */
  readonly dryRun: boolean
}

/** Returns the stages that look an image up and get it into the cache. */
export function fetchingStages(
  image: ImageAcquisition,
  {onDownload, onResolved, onUnreachable, dryRun}: FetchingHooks,
): Stage[] {
  return imageStages({
    isMade: image.isMade,
    layers: () => image.layers,
    async find(report) {
      const onMaking = noting(onDownload, report)
      const step = await image.resolve({onMaking, ...(onResolved === undefined ? {} : {onResolved})})
      if (dryRun) return 'none'
      if (step !== 'kept') return step
      // An image that is here is written down as the answer of the day.
      await image.keep({onProgress: onDownload, onUnreachable})
      return 'none'
    },
    get(report) {
      const onProgress = noting(onDownload, report)
      const onExtraction = (progress: Omit<ExtractionEvent, 'stage'>) =>
        report({stage: 'extraction', ...progress})
      return image.keep({onProgress, onExtraction, onMaking: onProgress, onUnreachable})
    },
  })
}
