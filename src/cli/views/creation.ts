import type {ExtractionEvent, ImageStep, NamedLayer} from '../../environments/create/image-description.js'
import type {ArchiveProgress} from '../../environments/create/wanted-image.js'
import type {DownloadEvent} from '../../host/http/attempt.js'
import type {Stage} from '../progress.js'
import {describeImageEvents, type ImageEvent, imageStages} from './image-stages.js'

/** The steps of the creation of an environment that its stages show. */
type CreationSteps<Resolution> = {
  /** Whether its image is built from packages, as far as known before a lookup. */
  readonly isMade: boolean
  /** The remaining step for the image, if it is known without a lookup. */
  readonly step: ImageStep | undefined
  /** The layers of an image of containers, once it was looked up. */
  readonly layers: readonly NamedLayer[] | undefined
  /** Looks the image up. */
  find(hooks: {
    onMaking: (event: ArchiveProgress) => void
    onResolved: (resolution: Resolution) => void
  }): Promise<ImageStep>
  fetch(hooks: {
    onProgress: (event: DownloadEvent) => void
    onMaking: (event: ArchiveProgress) => void
    onStored: () => void
    onResolved: (resolution: Resolution) => void
    onUnreachable: () => void
  }): Promise<void>
  extract(onProgress: (progress: Omit<ExtractionEvent, 'stage'>) => void): Promise<void>
  publish(): Promise<void>
}

type CreationHooks<Resolution> = {
  readonly runStages: (stages: readonly Stage[]) => Promise<void>
  /** Called for each event of a download or a build. */
  readonly onDownload: (event: KeepingEvent) => void
  /** Called with the resolution of a name. */
  readonly onResolved: (resolution: Resolution) => void
  /** Called if an image is built because no server was reachable. */
  readonly onUnreachable: () => void
}

/** Runs the steps as stages. */
export async function runCreation<Resolution>(
  creation: CreationSteps<Resolution>,
  {runStages, onDownload, ...hooks}: CreationHooks<Resolution>,
): Promise<void> {
  let {step} = creation
  const noted = (report: (event: ImageEvent) => void) => noting(onDownload, report)
  const onStored = () => onDownload({stage: 'stored'})
  const stages = imageStages({
    isMade: creation.isMade,
    step,
    layers: () => creation.layers,
    async find(report) {
      step = await creation.find({onMaking: noted(report), onResolved: hooks.onResolved})
      return step
    },
    async get(report) {
      await creation.fetch({onProgress: noted(report), onMaking: noted(report), onStored, ...hooks})
      if (step === 'make') onStored()
      else await creation.extract((progress) => report({stage: 'extraction', ...progress}))
    },
  })
  const describe = describeImageEvents(() => performance.now())
  const setUp: Stage = {
    title: 'Set up',
    async run(report) {
      // The tree of an image that was just made usually becomes its layer as it is.
      if (step === 'make')
        await creation.extract((progress) => report(describe({stage: 'extraction', ...progress})))
      await creation.publish()
    },
  }
  await runStages([...stages, setUp])
}

/** Returns a function that passes each event of a download or a build to both. */
export function noting(
  onDownload: (event: KeepingEvent) => void,
  report: (event: ImageEvent) => void,
): (event: DownloadEvent | ArchiveProgress) => void {
  return (event) => {
    onDownload(event)
    report(event)
  }
}

/** Progress that an interruption leaves for the next command, according to the events. */
export type Resumable = {
  /** A part of the current download. */
  readonly download?: boolean
  /** All package indices, complete. */
  readonly indices?: boolean
  readonly packages?: {readonly count: number; readonly totalCount: number}
  /** The image, complete and cached. */
  readonly image?: boolean
}

/** `stored`: the image is cached, whether it was built or downloaded. */
export type KeepingEvent = DownloadEvent | ArchiveProgress | {readonly stage: 'stored'}

/**
 * Returns the progress that is resumable after an event. A complete download counts as not resumable, because some
 * downloads are not cached.
 */
export function addResumable(resumable: Resumable, event: KeepingEvent): Resumable {
  switch (event.stage) {
    case 'download':
      return {
        ...resumable,
        download: event.receivedBytes > 0 && event.receivedBytes < (event.totalBytes ?? 0),
      }
    case 'indices':
      return {...resumable, download: event.receivedBytes > 0}
    case 'selection':
      return {indices: true}
    case 'packages':
      return {...resumable, packages: {count: event.receivedCount, totalCount: event.totalCount}}
    case 'stored':
      return {image: true}
    default:
      return resumable
  }
}

/** Returns the text about resumable progress for an interrupted command; undefined if nothing is resumable. */
export function describeResumable({download, indices, packages, image}: Resumable): string | undefined {
  const onwards = 'kept: the same command continues from there.'
  if (image) return 'The image is kept: the same command downloads nothing.'
  if (packages !== undefined && packages.count > 0) {
    const {count, totalCount} = packages
    const which = count === totalCount ? `all ${count}` : `${count} of ${totalCount}`
    return `The package indices and ${which} packages are ${onwards}`
  }
  if (indices) return `The package indices are ${onwards}`
  return download ? `The downloaded part is ${onwards}` : undefined
}

/** Note that an image was built although images of its release are published. */
export const BUILT_INSTEAD = `No image server could be reached: envs made the image from Ubuntu's packages. Unlike the \
image that Ubuntu publishes, it has only the required packages and APT, in today's versions, and its APT sources do not \
name the backports.`

export const BUILT_FROM_SIGNED =
  'built here from packages whose digests are in an index that its publisher signed'

type ArchiveOrigin = {
  readonly variant: string
  readonly include: readonly string[]
  readonly pockets: readonly {
    readonly suite: string
    readonly mirror: string
    readonly date: Date
    readonly inReleaseSha256: string
  }[]
  readonly packages: readonly unknown[]
}

/** Describes the origin of a built image, as lines with titles; empty for a published image. */
export function describeArchive(archive: ArchiveOrigin | null): (readonly [title: string, text: string])[] {
  if (archive === null) return []
  const {variant, include, pockets, packages} = archive
  const more = include.length === 0 ? '' : ` and ${include.join(', ')}`
  return [
    ...pockets.map(({suite, mirror, date, inReleaseSha256}) => {
      const day = date.toISOString().replace(/\.\d+Z$/, 'Z')
      return [
        'Pocket',
        `${suite} of ${mirror}, made ${day}, InRelease sha256:${inReleaseSha256.slice(0, 12)}`,
      ] as const
    }),
    ['Packages', `${packages.length}: ${variant}${more}; --json lists their versions`],
  ]
}
